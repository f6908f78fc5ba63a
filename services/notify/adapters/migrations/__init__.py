"""The revisions of notify's database."""
