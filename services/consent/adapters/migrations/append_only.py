"""Tables that can only grow: the database itself refuses to change or delete a row. For migrations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alembic import op


def keep(table: str, *keys: Sequence[str]) -> None:
    """Let the database refuse updates and deletes in `table`, whose unique `keys` are these columns each."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _sqlite(table, keys) if sqlite else _postgresql(table):
        op.execute(statement)


def release(table: str) -> None:
    """Take it back."""
    if op.get_bind().dialect.name == "sqlite":
        for what in ("updates", "deletes", "replaces"):
            op.execute(f"DROP TRIGGER {table}_keep_{what}")
    else:
        op.execute(f"DROP FUNCTION {table}_keep() CASCADE")  # its triggers with it


def _sqlite(table: str, keys: Sequence[Sequence[str]]) -> Iterator[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    yield f"CREATE TRIGGER {table}_keep_updates BEFORE UPDATE ON {table} {refuse}"
    yield f"CREATE TRIGGER {table}_keep_deletes BEFORE DELETE ON {table} {refuse}"
    # INSERT OR REPLACE would delete without asking the trigger above.
    alike = " OR ".join("(" + " AND ".join(f"{column} = NEW.{column}" for column in key) + ")" for key in keys)
    there = f"EXISTS (SELECT 1 FROM {table} WHERE {alike})"  # noqa: S608 - names of our own tables and columns
    yield f"CREATE TRIGGER {table}_keep_replaces BEFORE INSERT ON {table} WHEN {there} {refuse}"


def _postgresql(table: str) -> Iterator[str]:
    refuse = f"BEGIN RAISE EXCEPTION '{table} is append-only'; END"
    yield f"CREATE FUNCTION {table}_keep() RETURNS trigger LANGUAGE plpgsql AS $$ {refuse} $$"
    call = f"EXECUTE FUNCTION {table}_keep()"
    yield f"CREATE TRIGGER {table}_keep_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {call}"
    yield f"CREATE TRIGGER {table}_keep_table BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {call}"
