"""The model package as the server reads it: fetched, verified, and only then understood."""
