"""One file or folder for each outside thing. They do not know each other."""
