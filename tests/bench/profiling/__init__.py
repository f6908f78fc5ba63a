"""Where the time of the indicators goes."""
