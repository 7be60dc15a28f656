"""What the Makefile calls. Nothing here is part of the library, the page or the server."""
