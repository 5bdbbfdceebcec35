"""What a version of a data set looks like: counted exactly, merged exactly, compared.

The profile of shards merged is the profile of the whole bit for bit, whatever the split: all that
is kept are integer counts over edges that no data can move, extremes, and the smallest hashes.
"""
