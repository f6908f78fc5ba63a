"""Alembic runs this: the kernel's `migrate` hands over its connection."""

from __future__ import annotations

from alembic import context

import services.consent.adapters.access_log
import services.consent.adapters.anchors
import services.consent.adapters.kafka.log_reader
import services.consent.adapters.life_cycle
import services.consent.adapters.places
import services.consent.adapters.propagation
import services.consent.adapters.requests  # noqa: F401 - the tables of all these hang on the ledger's metadata
from services.consent.adapters.ledger import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
