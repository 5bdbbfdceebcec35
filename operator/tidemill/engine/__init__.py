"""What turns events into reconciles: queue, workers, resync, leadership. Knows no kind."""
