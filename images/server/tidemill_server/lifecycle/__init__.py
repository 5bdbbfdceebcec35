"""From start to end: load until ready, then answer, then drain."""
