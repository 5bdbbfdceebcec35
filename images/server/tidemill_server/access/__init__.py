"""Who may ask, from which pages, and over what: tokens, origins, TLS. Off, nothing is paid."""
