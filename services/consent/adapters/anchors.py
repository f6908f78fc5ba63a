"""Signed anchors of the ledger, and what checks of it found; anchors only grow."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Text

from services.consent.adapters.ledger import metadata

anchors = Table(
    "anchors",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("ledger_digest", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("signed", Text, nullable=False),
)
verifications = Table(
    "verifications",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("result", Text, nullable=False),
)
