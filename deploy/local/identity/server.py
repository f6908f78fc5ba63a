"""Runs the provider on this machine."""

from __future__ import annotations

from pathlib import Path

import click
import uvicorn

from deploy.local.identity.people import load_clients, load_people
from deploy.local.identity.provider import Provider
from deploy.local.identity.tokens import Tokens, signing_key
from services.kernel.logs import configure_logs

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--port", type=int, required=True, help="of 127.0.0.1; the issuer is its address")
@click.option("--audience", required=True, help="of the access tokens")
@click.option("--people", type=_FILE, required=True, help="JSON list of id, name and roles")
@click.option("--clients", type=_FILE, required=True, help="JSON list of id, secret, redirect_uris …")
@click.option("--key", type=_FILE, required=True, help="keeps the key that signs; made where it is missing")
def main(port: int, audience: str, people: Path, clients: Path, key: Path) -> None:
    """Sign people in by letting them choose who to be; for demonstrations only."""
    configure_logs("identity")
    tokens = Tokens(f"http://127.0.0.1:{port}", audience, signing_key(key))
    provider = Provider(tokens, load_clients(clients), lambda: load_people(people))
    uvicorn.run(provider.app(), host="127.0.0.1", port=port, access_log=False, log_config=None)


if __name__ == "__main__":
    main()
