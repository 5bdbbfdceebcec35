"""Dask, an existing engine, over the pods of one Job: started for it, and gone after it.

The first pod schedules and works, the others work. They find each other through the Job's own
folder in the store and talk over TLS, whose key is made for this run and lies there, too: whoever
could read it can read the rows as well.
"""
