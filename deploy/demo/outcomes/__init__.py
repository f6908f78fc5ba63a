"""OULAD with its outcomes: students, what became of them, and their places as of any day, as columns."""
