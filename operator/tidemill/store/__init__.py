"""The object store: what lies in it, under which keys, and how it is proved unchanged.

Shared by the operator, the runner and the server, so each module imports only what it needs.
"""
