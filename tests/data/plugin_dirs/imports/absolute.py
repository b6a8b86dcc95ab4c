"""A neighbour is imported as if the folder were on sys.path."""

from helper import LIMIT
