"""The kinds of failure that code has to tell apart.

`InvalidMessage` goes to the dead letters; `TransientError` pauses and tries again; `ConfigurationError` is for a
person to mend; anything else is a bug of ours and ends the process without committing.
"""


class SignpostError(Exception):
    """Base of the errors that Signpost raises on purpose."""


class ConfigurationError(SignpostError):
    """A setting or file is missing or wrong; the message says how to mend it."""


class InvalidMessage(SignpostError):  # noqa: N818 - it is the message that is invalid; the name says which
    """A record or request that can never be read, however often it is tried.

    Attributes:
        reason: a short bounded word for metrics and dead letters, such as "not-json".
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class TransientError(SignpostError):
    """Something outside is away for now; the same call may succeed later."""
