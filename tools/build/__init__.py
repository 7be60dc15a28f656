"""The build of the site for any static host."""
