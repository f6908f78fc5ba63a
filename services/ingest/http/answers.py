"""The door's answers when something is wrong: one shape, `reason` and `detail`, and the right status for each."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import JSONResponse

from services.ingest.domain import Refused
from services.ingest.ticks import TickRefused
from services.kernel.errors import TransientError

RETRY_AFTER_S = 2


class Rejected(Exception):  # noqa: N818 - it is the request that is rejected
    """The request as a whole cannot be taken, whatever events are in it."""

    def __init__(self, status: int, reason: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail, self.headers = status, reason, detail, headers


def problem(status: int, reason: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer that says what is wrong."""
    return JSONResponse({"reason": reason, "detail": detail}, status_code=status, headers=headers)


def answer_to(error: Exception) -> JSONResponse | None:
    """The answer to an error that is foreseen; None for any other."""
    match error:
        case Rejected():
            return problem(error.status, error.reason, error.detail, error.headers)
        case Refused():  # of the whole document
            refusal = {"line": 1, "reason": error.reason, "detail": error.detail}
            status = 413 if error.reason == "too-many" else 422
            return JSONResponse({"accepted": 0, "refused": [refusal]}, status_code=status)
        case TickRefused():
            return problem(409, "clock-refused", str(error))
        case TransientError():
            return problem(503, "not-now", str(error), {"Retry-After": str(RETRY_AFTER_S)})
        case _:
            return None


async def on_error(_request: Request, error: Exception) -> JSONResponse:
    """FastAPI's hook for the foreseen errors."""
    answer = answer_to(error)
    assert answer is not None, "registered for the foreseen errors only"
    return answer
