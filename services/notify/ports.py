"""What the use cases need from outside, beside the database."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Protocol

from services.kernel.errors import SignpostError


class Refused(SignpostError):  # noqa: N818 - the mail server's answer
    """The mail server will never take this message; trying again is of no use."""


class Mailer(Protocol):
    """Hands messages over to a mail server."""

    def send(self, message: EmailMessage) -> None:
        """Return when the server has accepted the message.

        Raises:
            TransientError: it may accept it later.
            Refused: it never will.
        """
        ...
