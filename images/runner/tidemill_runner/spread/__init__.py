"""Rows that lie in several places, judged as one: each part is asked, and answers put together."""
