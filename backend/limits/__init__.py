"""The limits of one person and of one address."""
