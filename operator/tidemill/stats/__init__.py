"""Statistics, numpy only: numbers in, numbers out; no files, no clock, no hidden randomness."""
