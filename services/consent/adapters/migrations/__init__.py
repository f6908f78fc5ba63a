"""Alembic's migrations of the consent service's database, SQLite and PostgreSQL alike."""
