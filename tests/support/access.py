"""What each route of the pages and interfaces shows, in the words of the policy register.

The register says which role sees what; here stands only what each route is about. So the test that asks every route as
everybody compares what the services do with what is published, and a new route has to be entered here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from services.kernel.register import load_register

EVERYBODY = "everybody"
FOR_PROGRAMS = {"POST /v1/registration", "POST /v1/directory"}  # a session opens nothing there
_REGISTER = load_register()
_VIEWS = {view.name for view in _REGISTER.views}

OPERATIONS = {
    "GET /health/live": EVERYBODY,
    "GET /health/ready": EVERYBODY,
    "GET /metrics": EVERYBODY,
    "GET /openapi.json": EVERYBODY,
}
SIGN_IN = {
    "GET /sign-in": EVERYBODY,
    "GET /sign-in/callback": EVERYBODY,
    "GET /signed-out": EVERYBODY,
    "GET /static": EVERYBODY,
    "POST /language": EVERYBODY,
    "POST /sign-out": EVERYBODY,
}
CONSENT = (
    OPERATIONS
    | SIGN_IN
    | {
        "GET /": "own-consents",
        "GET /decisions/{version}": "own-consents",
        "GET /decisions/{version}/applied": "own-consents",
        "GET /history": "own-consents",
        "GET /decisions/{version}/receipt": "own-consents",
        "GET /v1/me/consents": "own-consents",
        "GET /v1/me/receipts": "own-consents",
        "POST /choices": "own-consents",
        "POST /choices/language": "own-consents",
        "POST /choices/{purpose}": "own-consents",
        "POST /withdraw": "own-consents",
        "GET /requests": "own-requests",
        "GET /requests/new": "own-requests",
        "GET /requests/new/{kind}": "own-requests",
        "GET /requests/{request_id}": "own-requests",
        "GET /requests/{request_id}/withdraw": "own-requests",
        "GET /v1/me/requests": "own-requests",
        "POST /requests/new/{kind}": "own-requests",
        "POST /requests/{request_id}/withdraw": "own-requests",
        "POST /requests/{request_id}/words": "own-requests",
        "POST /v1/me/requests": "own-requests",
        "GET /staff/requests": "requests",
        "GET /staff/requests/new": "requests",
        "GET /staff/requests/{request_id}": "requests",
        "GET /staff/requests/{request_id}/decisions": "requests",
        "GET /staff/requests/{request_id}/steps/{name}": "requests",
        "GET /v1/requests": "requests",
        "POST /staff/requests/new": "requests",
        "POST /staff/requests/{request_id}/decisions": "requests",
        "POST /staff/requests/{request_id}/steps/{name}": "requests",
        "GET /coverage": "coverage",
        "GET /oversight": "consent-health",
        "GET /v1/anchors/latest": "anchor",
        "GET /v1/permitted": "point-in-time",
        "GET /oversight/anchor": "consent-health",
        "GET /oversight/checking": "consent-health",
        "GET /v1/oversight": "consent-health",
        "POST /oversight/verify": "consent-health",
        "GET /oversight/question": "point-in-time",
        "POST /oversight/question": "point-in-time",
        "GET /v1/coverage": "coverage",
        "GET /.well-known/jwks.json": EVERYBODY,
        "GET /register": EVERYBODY,
        "GET /register.jsonld": EVERYBODY,
        "GET /register.toml": EVERYBODY,
        "GET /register.{version}.toml": EVERYBODY,
        "GET /register/notices/{version}/{language}": EVERYBODY,
        "POST /v1/registration": "imports",
    }
)
NOTIFY = (
    OPERATIONS
    | SIGN_IN
    | {
        "GET /": EVERYBODY,  # leads to a page that is not
        "GET /tutor": "cases-of-own-students",
        "GET /tutor/cases/{case_id}": "cases-of-own-students",
        "GET /tutor/cases/{case_id}/close": "cases-of-own-students",
        "POST /tutor/cases/{case_id}/acknowledge": "cases-of-own-students",
        "POST /tutor/cases/{case_id}/close": "cases-of-own-students",
        "POST /tutor/cases/{case_id}/close/check": "cases-of-own-students",
        "POST /v1/directory": "imports",
    }
)


def routes(app: FastAPI) -> Iterator[str]:
    """Every route of the app as "METHOD /path"; what is mounted counts as GET."""
    for context in iter_route_contexts(app.routes):
        for method in set(context.methods or {"GET"}) - {"HEAD"}:
            yield f"{method} {context.path}"


def roles_that_see(what: str) -> set[str]:
    """The roles that the register lets see it."""
    if what == EVERYBODY:
        return {role.name for role in _REGISTER.roles}
    assert what in _VIEWS, f"the policy register declares no view {what!r}"
    return {role.name for role in _REGISTER.roles if what in role.sees}


def filled(path: str, values: Mapping[str, str]) -> str:
    """The path with a value for each of its parameters."""
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: values[found[1]], path)
