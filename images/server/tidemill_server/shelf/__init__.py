"""Several models in one server, which come and go while it runs."""
