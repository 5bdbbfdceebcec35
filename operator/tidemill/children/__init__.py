"""Child objects: how they are named, owned, secured, watched and explained, for every kind."""
