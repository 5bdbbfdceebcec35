"""The Kubernetes API as Tidemill uses it: dicts in, dicts out, server-side apply. Knows no kind."""
