"""A local Kubernetes cluster of one real node, made of processes instead of containers.

Every component is a Go program built from a pinned module, started detached and tracked by pid and
start time. The programs beside this package (`up.py`, `down.py`, …) are its commands.
Only the standard library is used: it runs before any virtual environment exists.
"""
