"""The API: what users write and read, one package per version."""
