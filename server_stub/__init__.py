"""A config server for local development: the seed's REST, its Redis keys, and an admin.

It stands beside the runner and shares only :mod:`runner.wire` with it.
"""
