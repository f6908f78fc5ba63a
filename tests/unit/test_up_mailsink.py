"""The mail sink keeps what it is sent and shows it safely."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from deploy.local.machine.ports import free_port
from deploy.local.mail.sink import Mailbox, create_app, prose


def _message(text: str = "See http://127.0.0.1:8104/tutor/cases/1.", subject: str = "A case") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "signpost@university.example", "t@example.org", subject
    message.set_content(text)
    return message


def _sent(port: int, *messages: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        for message in messages:
            smtp.send_message(message)


@pytest.fixture
def port() -> int:
    """For SMTP."""
    return free_port()


def test_what_is_sent_is_listed_newest_first_and_can_be_read(tmp_path: Path, port: int) -> None:
    with TestClient(create_app(Mailbox(tmp_path), port)) as client:
        assert "No message was sent yet" in client.get("/").text
        _sent(port, _message(subject="The first"), _message(subject="Café for two"))
        listing = client.get("/").text
        assert "2 messages were sent" in listing
        assert listing.index("Café for two") < listing.index("The first")
        assert '<a href="http://127.0.0.1:8104/tutor/cases/1">' in client.get("/mail/1").text
        assert client.get("/mail/3").status_code == 404
        assert client.get("/health/ready").json()["ready"]


def test_a_search_narrows_the_list(tmp_path: Path, port: int) -> None:
    with TestClient(create_app(Mailbox(tmp_path), port)) as client:
        _sent(port, _message(subject="Needle"), _message(subject="Hay"))
        assert "1 message with “needle T@”" in client.get("/", params={"q": "needle T@"}).text
        assert "Nothing holds these words" in client.get("/", params={"q": "barn"}).text


def test_a_restart_keeps_the_messages(tmp_path: Path) -> None:
    Mailbox(tmp_path).add(_message(subject="Kept").as_bytes())
    (tmp_path / "not-a-message.txt").write_text("x")
    again = Mailbox(tmp_path)
    again.add(_message(subject="Next").as_bytes())
    assert [(mail.id, mail.subject) for mail in again.find()] == [(2, "Next"), (1, "Kept")]


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    box = Mailbox(tmp_path, kept=2)
    for n in range(4):
        box.add(_message(subject=str(n)).as_bytes())
    assert [mail.subject for mail in box.find()] == ["3", "2"]
    assert len(list(tmp_path.glob("*.eml"))) == 2
    assert len(Mailbox(tmp_path, kept=1).find()) == 1


def test_nothing_in_a_message_becomes_markup(tmp_path: Path, port: int) -> None:
    evil = '<script>alert("x")</script> https://example.org/?a=<b>"onclick=x'
    with TestClient(create_app(Mailbox(tmp_path), port)) as client:
        message = _message(evil, subject=evil)
        message.add_alternative("<b>bold</b>", subtype="html")
        _sent(port, message)
        for page in (client.get("/"), client.get("/mail/1")):
            assert "<script>" not in page.text
            assert "<b>" not in page.text
            assert "script-src 'self'" in page.headers["content-security-policy"]


def test_paragraphs_and_line_breaks_stay() -> None:
    assert prose("One\r\ntwo\n\n\nThree & more\n") == "<p>One<br>two</p><p>Three &amp; more</p>"


def test_a_link_ends_before_the_full_stop() -> None:
    linked = '<p>Go to <a href="http://h/a?b=1&amp;c">http://h/a?b=1&amp;c</a>.</p>'
    assert prose("Go to http://h/a?b=1&c.") == linked
