"""What other thresholds would have done: the same history judged twice, and the tutors' loads side by side."""
