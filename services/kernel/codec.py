"""Between the contracts and the bytes on the wire: JSON, so that any tool can read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union

import msgspec

from services.kernel.errors import InvalidMessage
from services.kernel.topics import Topic

encode: Callable[[msgspec.Struct], bytes] = msgspec.json.Encoder(order="deterministic").encode


def decoder(topic: Topic) -> Callable[[bytes], Any]:
    """A function from a record's value to one of the topic's payload types.

    The function raises `InvalidMessage` with reason "not-json" or "not-the-contract".
    """
    decode = msgspec.json.Decoder(Union[topic.payloads]).decode  # noqa: UP007 - a tuple of types, known at run time

    def read(value: bytes) -> Any:
        try:
            return decode(value)
        except msgspec.ValidationError as error:
            raise InvalidMessage("not-the-contract", f"{topic.name}: {error}") from error
        except (msgspec.DecodeError, TypeError, UnicodeDecodeError) as error:
            raise InvalidMessage("not-json", f"{topic.name}: {error}") from error

    return read
