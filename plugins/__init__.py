"""Built-in plugins, each on the public API alone."""
