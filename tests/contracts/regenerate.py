"""`python -m tests.contracts.regenerate`: write the golden schemas anew after an additive change of the contracts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.contracts.compatibility import breaking_changes
from tests.contracts.golden import PAYLOADS, SCHEMAS, golden_schema, schema_of


def regenerate(folder: Path = SCHEMAS) -> list[str]:
    """Write each type's schema into the folder; gives why those that it left alone must not change."""
    refused = []
    for name, payload in PAYLOADS.items():
        golden, schema = golden_schema(name, folder), schema_of(payload)
        breaking = [] if golden is None else breaking_changes(golden, schema)
        refused += [f"{name}: {change}" for change in breaking]
        if not breaking:
            (folder / f"{name}.json").write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    return refused


def main() -> None:
    """Regenerate, and say what needs a new major version instead."""
    refused = regenerate()
    if refused:
        sys.exit("Not additive, so it needs a new type with a new major version:\n" + "\n".join(refused))


if __name__ == "__main__":
    main()
