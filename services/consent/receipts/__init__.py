"""Receipts: what a student decided, in a form that the university has signed and anybody can check."""
