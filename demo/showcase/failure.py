"""A step of the demonstration that did not work, with what a person can do about it."""


class DemoError(Exception):
    """Says what went wrong, and where to look."""
