"""Quotes to play: made from a seed, or read from files."""

from __future__ import annotations
