"""The ledger's chain: who, for which request, sequence and digests; the anchors, and what checks of them found.

What stands in the ledger already is sealed as it is found: from here on a change of it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from services.consent.adapters.migrations.append_only import keep, release
from services.consent.domain.chain import Tail, seal
from services.consent.domain.decisions import ConsentEvent, Decision

revision = "0002"
down_revision: str | None = "0001"

_CHUNK = 2_000
_KEY = ("student", "version", "position")
_NEW = (
    sa.Column("actor", sa.String(64)),
    sa.Column("request", sa.String(40)),
    sa.Column("sequence", sa.BigInteger),
    sa.Column("digest", sa.String(64)),
    sa.Column("ledger_digest", sa.String(64)),
)
_DECISION = (
    "purpose",
    "source",
    "state",
    "from_ms",
    "until_ms",
    "notice",
    "language",
    "channel",
    "actor",
    "request",
)
# A student's events in their own order, whatever a clock said; among students by the time of recording.
_NUMBER = """
    UPDATE consent_events SET sequence = placed.place FROM (
        SELECT student, version, position,
               row_number() OVER (ORDER BY since_ms, student, version, position) AS place
        FROM (SELECT student, version, position,
                     max(recorded_ms) OVER (PARTITION BY student ORDER BY version, position) AS since_ms
              FROM consent_events) AS timed
    ) AS placed
    WHERE consent_events.student = placed.student AND consent_events.version = placed.version
      AND consent_events.position = placed.position
"""


def upgrade() -> None:
    """Add who decided and the chain to the ledger, seal what is there, and make the tables of its proofs."""
    release("consent_events")
    for column in _NEW:
        op.add_column("consent_events", sa.Column(column.name, column.type))
    op.execute("UPDATE consent_events SET actor = CASE channel WHEN 'portal' THEN 'student' ELSE 'registrar' END")
    op.execute(_NUMBER)
    with op.batch_alter_table("consent_events") as ledger:
        ledger.alter_column("actor", existing_type=sa.String(64), nullable=False)
        ledger.alter_column("sequence", existing_type=sa.BigInteger, nullable=False)
        ledger.create_unique_constraint("consent_events_sequence_key", ["sequence"])
    _seal_all()
    with op.batch_alter_table("consent_events") as ledger:
        for name in ("digest", "ledger_digest"):
            ledger.alter_column(name, existing_type=sa.String(64), nullable=False)
    keep("consent_events", _KEY, ["sequence"])
    _make_proofs()


def downgrade() -> None:
    """Take it back: decisions stay, but not who recorded them, nor for which request; anchors are lost."""
    op.drop_table("verifications")
    release("anchors")
    op.drop_table("anchors")
    release("consent_events")
    with op.batch_alter_table("consent_events") as ledger:
        ledger.drop_constraint("consent_events_sequence_key", type_="unique")
        for column in _NEW:
            ledger.drop_column(column.name)
    keep("consent_events", _KEY)


def _make_proofs() -> None:
    op.create_table(
        "anchors",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("signed", sa.Text, nullable=False),
    )
    keep("anchors", ["sequence"])
    op.create_table(
        "verifications",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("ok", sa.Boolean, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
    )


def _seal_all() -> None:
    names = (*_KEY, "recorded_ms", *_DECISION, "sequence", "digest", "ledger_digest")
    ledger = sa.table("consent_events", *map(sa.column, names))
    change = (
        sa.update(ledger)
        .where(ledger.c.sequence == sa.bindparam("place"))
        .values(digest=sa.bindparam("sealed"), ledger_digest=sa.bindparam("whole"))
    )
    heads: dict[str, str] = {}
    tail = Tail()
    for rows in _chunks(ledger):
        sealed = seal([_event(row) for row in rows], heads, tail)
        heads |= {of.event.student: of.event.digest for of in sealed}
        tail = Tail(sealed[-1].event.sequence, sealed[-1].ledger_digest)
        digests = [{"place": of.event.sequence, "sealed": of.event.digest, "whole": of.ledger_digest} for of in sealed]
        op.get_bind().execute(change, digests)


def _chunks(ledger: sa.TableClause) -> Iterator[Sequence[sa.RowMapping]]:
    last = 0
    query = sa.select(ledger).order_by(ledger.c.sequence).limit(_CHUNK)
    while rows := op.get_bind().execute(query.where(ledger.c.sequence > last)).mappings().all():
        yield rows
        last = rows[-1]["sequence"]


def _event(row: sa.RowMapping) -> ConsentEvent:
    said: dict[str, Any] = {name: row[name] for name in _DECISION}
    return ConsentEvent(
        row["student"], row["version"], row["position"], row["recorded_ms"], Decision(**said), row["sequence"]
    )
