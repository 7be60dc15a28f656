"""The page: views that read the store and touch the DOM, once per animation frame.

Modules without ``js`` decide (what the words are, which rows change, when the banner shows) and are tested on CPython
in milliseconds; modules with ``js`` carry it out. ``page.Page`` is the entry point.
"""
