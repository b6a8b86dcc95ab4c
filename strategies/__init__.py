"""Built-in strategies, each on the public API alone."""
