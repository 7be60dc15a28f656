"""Shared by all views: DOM helpers, rendering by animation frames, texts, dates, HTTP."""
