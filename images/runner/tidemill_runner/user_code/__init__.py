"""A model that a user's code fits: what that is given, what is taken of what it wrote.

The code runs in a container of its own, between two processes of ours in the same pod, and beside a
third that follows it. It gets files and leaves files. Nothing that it says is taken for our words,
and what it is measured by it never sees.
"""
