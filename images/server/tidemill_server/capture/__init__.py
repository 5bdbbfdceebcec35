"""What was asked and answered, kept for a while for whoever watches the model."""
