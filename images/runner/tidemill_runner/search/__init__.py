"""The search for parameters: which are tried, how they are judged, what is kept of it."""
