"""The description of a version as people read it: one HTML file, made from its profile alone."""
