"""The database: one small protocol (:mod:`backend.store.base`), one module for each implementation."""
