"""What holds for every test: a time limit is one test's own, and a busy machine fails nothing."""

from hypothesis import settings

# An example may take long on a slow machine: what hangs is ended by the limit of the whole test.
settings.register_profile("tidemill", deadline=None)
settings.load_profile("tidemill")
