"""A mail server that delivers to nobody: what it takes can be read on a page. For demonstrations and tests only.

Messages are files in a folder, so that a restart keeps them; beyond the newest thousands the oldest go.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import email
import email.policy
import logging
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import click
from fastapi import FastAPI, HTTPException, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from prometheus_client import CollectorRegistry
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from services.kernel.health import operations
from services.kernel.web.headers import SecurityHeaders
from services.kernel.web.pages import STATIC

KEPT = 3000
_SHOWN = 200
_BIGGEST = 1_000_000
_LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)]")


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that was received, as the list shows it."""

    id: int
    at: dt.datetime
    to: str
    sender: str
    subject: str


class Mailbox:
    """The messages received: their outlines in memory, the whole of each in a file."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._kept = folder, kept
        self._lock = threading.Lock()
        files = sorted(file for file in folder.glob("*.eml") if file.stem.isdigit())
        self._mails = {mail.id: mail for mail in map(_outline, files)}
        self._forget_oldest()

    def add(self, content: bytes) -> None:
        """Keep a message."""
        with self._lock:
            file = self._file(max(self._mails, default=0) + 1)
            file.with_suffix(".new").write_bytes(content)
            file.with_suffix(".new").replace(file)
            mail = _outline(file)
            self._mails[mail.id] = mail
            self._forget_oldest()

    def find(self, words: str = "") -> list[Mail]:
        """The messages whose addresses or subject hold each of the words, newest first."""
        wanted = words.casefold().split()
        with self._lock:
            newest_first = list(reversed(self._mails.values()))
        return [m for m in newest_first if all(w in f"{m.to} {m.sender} {m.subject}".casefold() for w in wanted)]

    def read(self, mail_id: int) -> tuple[Mail, str] | None:
        """A message and its text, if it is there."""
        mail = self._mails.get(mail_id)
        return (mail, _text(_parse(self._file(mail_id)))) if mail else None

    def _forget_oldest(self) -> None:
        for mail_id in list(self._mails)[: -self._kept]:
            del self._mails[mail_id]
            self._file(mail_id).unlink(missing_ok=True)

    def _file(self, mail_id: int) -> Path:
        return self._folder / f"{mail_id:08d}.eml"


class _Receiver:
    """What aiosmtpd asks to be told of each message."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        await asyncio.to_thread(self._mailbox.add, envelope.content)
        return "250 Message accepted for delivery"


def create_app(mailbox: Mailbox, smtp_port: int) -> FastAPI:
    """The pages, and in their lifespan the SMTP server on 127.0.0.1."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        from aiosmtpd.smtp import SMTP  # noqa: PLC0415 - only this needs it

        def session() -> Any:
            return SMTP(_Receiver(mailbox), data_size_limit=_BIGGEST, enable_SMTPUTF8=True, ident="Signpost mail sink")

        server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", smtp_port)
        async with server:
            yield

    app = FastAPI(title="Mail sink", openapi_url=None, lifespan=lifespan)
    app.add_middleware(SecurityHeaders)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(operations(CollectorRegistry(), {}))
    _add_pages(app, mailbox)
    return app


def linked(text: str) -> Markup:
    """The text, safe to show, with each address in it a link."""
    parts, end = [], 0
    for found in _LINK.finditer(text):
        parts += [escape(text[end : found.start()]), Markup('<a href="{0}">{0}</a>').format(found[0])]
        end = found.end()
    return Markup("").join([*parts, escape(text[end:])])


def prose(text: str) -> Markup:
    """The text as paragraphs, its line breaks kept."""
    blocks = [block for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip()) if block]
    lines = [Markup("<br>").join(linked(line) for line in block.splitlines()) for block in blocks]
    return Markup("").join(Markup("<p>{}</p>").format(each) for each in lines)


def _add_pages(app: FastAPI, mailbox: Mailbox) -> None:
    folder = Path(__file__).with_name("pages")
    env = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    env.filters |= {"prose": prose, "moment": _moment}
    pages = Jinja2Templates(env=env)

    @app.get("/")
    def listing(request: Request, q: str = "") -> Response:
        found = mailbox.find(q)
        context = {"mails": found[:_SHOWN], "more": len(found[_SHOWN:]), "count": len(found), "q": q}
        return pages.TemplateResponse(request, "mails.html", context)

    @app.get("/mail/{mail_id}")
    def one(request: Request, mail_id: int) -> Response:
        found = mailbox.read(mail_id)
        if found is None:
            raise HTTPException(404, "There is no such message; the oldest are removed when there are many.")
        return pages.TemplateResponse(request, "mail.html", {"mail": found[0], "text": found[1]})


def _outline(file: Path) -> Mail:
    message = _parse(file)
    at = dt.datetime.fromtimestamp(file.stat().st_mtime).astimezone()
    to, sender, subject = (str(message[name] or "") for name in ("to", "from", "subject"))
    return Mail(int(file.stem), at, to, sender, subject or "(no subject)")


def _parse(file: Path) -> EmailMessage:
    with file.open("rb") as opened:
        return email.message_from_binary_file(opened, policy=email.policy.default)


def _text(message: EmailMessage) -> str:
    """The plain part, or the source of another one: nothing that was received is ever rendered."""
    body = message.get_body(("plain", "html"))
    return "" if body is None else str(body.get_content())


def _moment(at: dt.datetime) -> str:
    return f"{at.day} {at:%B %Y, %H:%M:%S}"


@click.command()
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="keeps the messages")
@click.option("--smtp-port", type=int, required=True, help="takes mail on 127.0.0.1")
@click.option("--port", type=int, required=True, help="shows it on 127.0.0.1")
def main(folder: Path, smtp_port: int, port: int) -> None:
    """Take mail by SMTP and show it on a page."""
    import uvicorn  # noqa: PLC0415 - the program needs it, the tests of the parts do not

    from services.kernel.logs import configure_logs  # noqa: PLC0415 - the same

    configure_logs("mail")
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd would log who is written to
    uvicorn.run(create_app(Mailbox(folder), smtp_port), host="127.0.0.1", port=port, access_log=False, log_config=None)


if __name__ == "__main__":
    main()
