"""The plugin host: hook specifications, discovery, calls that cannot spread harm."""
