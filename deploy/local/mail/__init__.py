"""A mail server that delivers to nobody, and pages to read what it was sent."""
