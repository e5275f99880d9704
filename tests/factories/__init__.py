"""The smallest valid rows, one module per app (factory_boy). A test says only what it is about."""
