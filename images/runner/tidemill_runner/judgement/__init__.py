"""How good a model is: beside simple ones, in parts of the data, between groups, and in doubt."""
