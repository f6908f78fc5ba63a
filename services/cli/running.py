"""One part of Signpost at a time, as a real installation runs it."""

from __future__ import annotations

from typing import Any

import click

from services.cli.options import examples


@click.group()
def serve() -> None:
    """Run one of the web services."""


@serve.command(epilog=examples("SIGNPOST_CONFIG=consent.toml signpost serve consent"))
def consent() -> None:
    """What students permit: the portal, the register, the ledger.

    Needs a Kafka broker, SIGNPOST_INSTITUTION__PSEUDONYM_SECRET and SIGNPOST_SESSION__SECRET; keeps its data in
    SIGNPOST_CONSENT__DATABASE_URL (SQLite by default) and makes the key of its receipts,
    SIGNPOST_CONSENT__SIGNING_KEY_FILE, where there is none. People sign in at the OpenID provider
    SIGNPOST_SIGN_IN__ISSUER, asked only when somebody does. Listens on SIGNPOST_CONSENT__HOST and …__PORT (8101).
    """
    from services.consent.app import create_app

    _serve("consent", create_app)


@serve.command(epilog=examples("SIGNPOST_CONFIG=ingest.toml signpost serve ingest"))
def ingest() -> None:
    """The door: lets the events in that are permitted.

    Takes them over HTTP and writes them to Kafka. Needs a broker, SIGNPOST_INSTITUTION__PSEUDONYM_SECRET
    and SIGNPOST_INGEST__SOURCES_FILE (who may send). Listens on SIGNPOST_INGEST__HOST and …__PORT (8102).
    """
    from services.ingest.app import create_app

    _serve("ingest", create_app)


@serve.command(epilog=examples("SIGNPOST_CONFIG=notify.toml signpost serve notify"))
def notify() -> None:
    """Cases: the tutors' pages, e-mail, the directory of people.

    Needs a Kafka broker, a mail server (SIGNPOST_NOTIFY__SMTP_HOST, …__SMTP_PORT),
    SIGNPOST_INSTITUTION__PSEUDONYM_SECRET and SIGNPOST_SESSION__SECRET; keeps its data in
    SIGNPOST_NOTIFY__DATABASE_URL (SQLite by default). People sign in at the OpenID provider
    SIGNPOST_SIGN_IN__ISSUER, asked only when somebody does. Listens on SIGNPOST_NOTIFY__HOST and …__PORT (8104).
    """
    from services.notify.app import create_app

    _serve("notify", create_app)


@click.group()
def work() -> None:
    """Run a stream processor."""


@work.command(epilog=examples("SIGNPOST_KAFKA__BOOTSTRAP=kafka:9092 signpost work indicators"))
def indicators() -> None:
    """Compute the indicators.

    Run it several times to share the partitions. Needs a Kafka broker, and nothing else: its state lives in Kafka. It
    never needs the secret of the pseudonyms. Metrics and health are on SIGNPOST_INDICATORS__HOST and …__PORT (8103).
    """
    from services.indicators.app import run_worker
    from services.kernel.logs import configure_logs
    from services.kernel.settings import load_settings

    configure_logs("indicators")
    run_worker(load_settings())


@click.command(
    epilog=examples(
        "SIGNPOST_KAFKA__BOOTSTRAP=kafka:9092 SIGNPOST_KAFKA__REPLICATION=3 \\",
        "    signpost provision",
    )
)
def provision() -> None:
    """Create the topics that are missing on the broker.

    Needs a Kafka broker (SIGNPOST_KAFKA__BOOTSTRAP) and the right to create topics there. Topics that exist are left
    as they are; one with another number of partitions than SIGNPOST_KAFKA__PARTITIONS is an error.
    """
    from services.kernel.kafka import provision as create_topics
    from services.kernel.settings import load_settings

    settings = load_settings().kafka
    made = create_topics(settings)
    click.echo(f"Created on {settings.bootstrap}: {', '.join(made)}" if made else "All topics are there.")


def _serve(name: str, create_app: Any) -> None:
    import uvicorn

    from services.kernel.logs import configure_logs
    from services.kernel.settings import load_settings

    configure_logs(name)
    settings = load_settings()
    listen = getattr(settings, name)
    uvicorn.run(
        create_app(settings),
        host=listen.host,
        port=listen.port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
