"""The inspector: what the connection does and did, and how it heals. Imported when it is opened, not before."""
