"""The page: views that read the store and change the DOM, once per animation frame.

Modules without ``js`` decide (texts, rows to change, when the banner shows) and are tested on CPython; modules with
``js`` change the page. ``page.Page`` is the entry point.
"""
