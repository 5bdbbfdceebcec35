"""The Dataset controller: notice a change, let it settle, ingest it in a Job, record it."""
