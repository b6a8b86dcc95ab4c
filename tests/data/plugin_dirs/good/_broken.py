raise RuntimeError("files that start with _ are the author's own business")
