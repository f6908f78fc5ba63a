"""Hands messages to the mail server by SMTP, over one connection for as long as it lasts."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from services.kernel.errors import TransientError
from services.notify.ports import Refused

_TIMEOUT_S = 10
_PERMANENT = 500


class SmtpMailer:
    """A connection to the mail server, made when it is needed; for one thread."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._connection: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        """Return when the server has accepted the message.

        Raises:
            TransientError: the server is away, or says that it may take it later.
            Refused: it never will.
        """
        try:
            if self._connection is None:
                self._connection = smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT_S)
            self._connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            self.close()
            codes = [code for code, _ in error.recipients.values()]
            raise _failure(min(codes)) from error
        except smtplib.SMTPResponseException as error:
            self.close()
            raise _failure(error.smtp_code) from error
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise TransientError(f"No mail server takes messages at {self._host}:{self._port}") from error

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _failure(code: int) -> Exception:
    """The kind of a failure; never the server's words, which may hold an address."""
    if code >= _PERMANENT:
        return Refused(f"The mail server refused a message with code {code}")
    return TransientError(f"The mail server put a message off with code {code}")
