"""Where records live: one small protocol (:mod:`backend.store.base`), one module per database."""
