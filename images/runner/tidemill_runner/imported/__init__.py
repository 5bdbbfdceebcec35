"""Models that were fitted elsewhere: fetched, looked at from outside, loaded first by a child."""
