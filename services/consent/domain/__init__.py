"""What consent means, as pure functions: time is an argument, and nothing here reads or writes."""
