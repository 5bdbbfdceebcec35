"""The pieces that every picture is made of, which the kubectl plugin shares."""

from tidemill.pages.svg import opened, short, text

__all__ = ["opened", "short", "text"]
