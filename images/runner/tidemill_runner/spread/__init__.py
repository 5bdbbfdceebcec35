"""Rows that lie in several places, judged as one: every part is asked, and answers are put together."""
