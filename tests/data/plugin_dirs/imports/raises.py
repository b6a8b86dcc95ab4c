"""Fails inside a function of a neighbour, called at import."""

from ._deeper import read

LIMIT = read("limit")
