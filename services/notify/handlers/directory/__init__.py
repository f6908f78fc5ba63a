"""The directory import: who there is, who tutors whom, and what is expected of whom."""

from services.notify.handlers.directory.importing import MOST_ROWS, DirectoryRefused, RowError, read, take

__all__ = ["MOST_ROWS", "DirectoryRefused", "RowError", "read", "take"]
