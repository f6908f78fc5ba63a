"""Rolling engagement indicators from the stream of activity, for consenting students only."""
