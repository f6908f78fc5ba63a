"""Signpost's four services and the kernel that they share."""
