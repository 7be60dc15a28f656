"""Checks of the source tree: rules, lines by folder."""
