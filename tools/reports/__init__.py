"""Writes what documents show: diagrams, screenshots, the figures of docs/scaling.md."""
