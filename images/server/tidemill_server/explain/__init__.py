"""What each feature adds to an answer, told on request."""
