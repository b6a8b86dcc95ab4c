"""Stops entries at a daily and at a maximum loss, measured on equity."""
