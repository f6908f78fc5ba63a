"""What the benchmarks of the indicators share: the input, the programs that read it, and what they took."""
