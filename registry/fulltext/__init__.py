"""Full-text search with what PostgreSQL brings: no extension, no second engine."""
