"""What a partition keeps of its students' activity: columns that count at the cost of one small step per event."""
