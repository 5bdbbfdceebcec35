"""One fit of boosted trees by the pods of one Job, each with a share of the rows."""
