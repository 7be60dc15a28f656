"""Builds the site for any static host."""
