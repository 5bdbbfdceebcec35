"""Requests that are there at the same time are predicted at the same time."""
