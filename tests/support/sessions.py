"""Being signed in without a provider: a session cookie made with the test's own secret.

For tests of pages inside the process. What the services check of a session is what they check of a real one; only the
way to it is shorter. The way itself is tested with `tests.support.identity`.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import itsdangerous
from fastapi.testclient import TestClient

SECRET = "a secret of the tests"
COOKIE = "signpost"
_HOST = "testserver.local"  # whose cookies the client takes those of http://testserver to be
CSRF = "a-token-of-the-tests"


def cookie(person_id: str, *roles: str, name: str = "Ada Example", secret: str = SECRET, **changes: Any) -> str:
    """The value of a session cookie; `changes` replace what stands in it."""
    now = int(time.time())
    who = {"person_id": person_id, "name": name, "roles": roles}
    content = {"person": who, "seen": now, "ends": now + 8 * 3600, "csrf": CSRF} | changes
    data = base64.b64encode(json.dumps(content).encode())
    return itsdangerous.TimestampSigner(secret).sign(data).decode()


def sign_in(client: TestClient, person: str, *roles: str, name: str = "Ada Example", **changes: Any) -> TestClient:
    """The same client with a session of somebody in it; send `CSRF` as the field `csrf` of its forms."""
    client.cookies.clear()
    client.cookies.set(COOKIE, cookie(person, *roles, name=name, **changes), domain=_HOST)
    return client
