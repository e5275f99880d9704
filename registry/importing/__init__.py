"""Bringing in what another MLflow registry holds: reading it, and what its answers mean."""
