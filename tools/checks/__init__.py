"""Checks of the source tree: rules, coverage of modules, lines by folder."""
