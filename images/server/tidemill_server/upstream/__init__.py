"""A container of the user's own behind the server: what is passed on to it, and what comes back."""
