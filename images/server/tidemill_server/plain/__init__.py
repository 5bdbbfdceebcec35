"""The friendly way in: rows with names, as JSON or CSV; and labels with names on the way out."""
