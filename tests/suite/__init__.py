"""Runs everything that proves the project, in stages, and counts what they say."""
