"""Stops entries around news, in the symbols that the news is about."""
