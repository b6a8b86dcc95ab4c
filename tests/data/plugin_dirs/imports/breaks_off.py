"""Its neighbour cannot be compiled."""

from . import syntax
