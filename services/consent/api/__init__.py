"""The programs' interface."""
