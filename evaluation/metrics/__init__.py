"""Arithmetic over labels and scores: arrays in, numbers with intervals out; no database, no web.

Imported by jobs only: SciPy, scikit-learn and Fairlearn cost seconds and megabytes.
"""
