"""Features that the model joined in training, looked up by key where a request leaves them out."""
