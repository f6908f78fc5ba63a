"""What the benchmarks wrote down, as tables and pictures."""
