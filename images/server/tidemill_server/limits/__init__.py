"""Bounds on what clients may ask for, and the plain refusals beyond them."""
