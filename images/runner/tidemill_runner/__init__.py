"""The runner: one image, verbs `ingest`, `train` and `materialise`, run inside Jobs.

Input is one JSON document; output are files under the run's own prefix in the store, `result.json`
the last of them, and its digest in the termination message. The exit code says whether another try
can help.
"""
