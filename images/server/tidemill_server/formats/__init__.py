"""Model files: one module for each format that the server can ask."""
