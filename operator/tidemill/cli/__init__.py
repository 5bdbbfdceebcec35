"""`kubectl tidemill`: what is in a data set, its versions and their differences, at a terminal."""
