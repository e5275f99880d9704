"""A PostgreSQL backend for tests whose flush knows that the trail refuses TRUNCATE."""
