"""Uploaded rows: read, checked whole, and written in one plain shape (pure; no database)."""
