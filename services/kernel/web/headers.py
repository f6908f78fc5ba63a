"""Headers that tell a browser to trust nothing but this site's own files, and to keep no page of a person."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_A_YEAR = "public, max-age=31536000, immutable"


class SecurityHeaders:
    """Adds the headers to each response of the app inside; its forms may lead to this site and to the origins named."""

    def __init__(self, app: ASGIApp, forms_lead_to: Sequence[str] = ()) -> None:
        self._app = app
        actions = " ".join(("form-action 'self'", *forms_lead_to))
        policy = CONTENT_SECURITY_POLICY.replace("form-action 'self'", actions)
        self._always = _ALWAYS | {"Content-Security-Policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and the response back, with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caching = _A_YEAR if scope["path"].startswith("/static/") else "no-store"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._always)
                headers.setdefault("Cache-Control", caching)
            await send(message)

        await self._app(scope, receive, send_with_headers)
