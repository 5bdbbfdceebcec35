"""What holds for every test: a time limit is one test's own, and a busy machine fails nothing."""

import os

from hypothesis import settings

# Before anything numeric is imported. Tests run beside each other, one to a core: threads of one
# fit that wait for each other there, spinning, made it ten times slower.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# An example may take long on a slow machine: what hangs is ended by the limit of the whole test.
settings.register_profile("tidemill", deadline=None)
settings.load_profile("tidemill")
