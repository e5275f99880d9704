"""Performance, realised and estimated: arrays in, numbers with intervals out (pure)."""
