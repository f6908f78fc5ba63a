"""A form as it was sent, for routes that otherwise wait for nothing but the database."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData


async def _sent(request: Request) -> FormData:
    return await request.form()


Form = Annotated[FormData, Depends(_sent)]
