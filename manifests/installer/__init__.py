"""The installation: plain kubectl and kustomize, in the right order, with waiting and progress.

Only the standard library, so that it runs wherever Python and kubectl are.
"""
