"""What people may read of the data sets of their namespace, over a port of its own."""
