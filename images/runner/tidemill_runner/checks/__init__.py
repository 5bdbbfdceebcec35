"""Checks of data: a declaration becomes a plan, a plan becomes queries, their answers a verdict."""
