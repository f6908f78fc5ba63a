"""Alembic runs this: the kernel's `migrate` hands over its connection."""

from __future__ import annotations

from alembic import context

from services.notify.adapters.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
