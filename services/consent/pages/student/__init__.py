"""The student's own pages: what is asked and what they have said, what came of a change, and everything before."""
