"""The rules of the indicators: pure functions over a student's state, with time as an argument."""
