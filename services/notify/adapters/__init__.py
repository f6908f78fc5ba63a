"""What notify speaks to: its database and the mail server."""
