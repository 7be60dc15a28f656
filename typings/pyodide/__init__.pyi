"""Pyodide's own package, as far as Kizuna uses it."""

from pyodide import ffi as ffi
