"""The first load of a model, in a process that may die of it."""
