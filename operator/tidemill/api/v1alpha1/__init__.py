"""API version v1alpha1: one module per kind, and what they share."""

GROUP = "tidemill.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
