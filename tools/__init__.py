"""The programs behind the Makefile, which are part of neither the library nor the page nor the server."""
