"""The composition root: settings become adapters, host, link and loop.

The only rooms that name concrete adapters.
"""
