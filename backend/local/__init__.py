"""The server of one machine: its process, its web application, its files."""
