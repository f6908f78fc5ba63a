"""How the door's routes appear in the OpenAPI document, with examples that run as they stand."""

from __future__ import annotations

from typing import Any

NATIVE_EVENT = {
    "id": "vle-2026-000184213",
    "student": "31234567",
    "module": "HIST101-2026",
    "activity": "forum",
    "at": "2026-02-03T10:15:00+00:00",
}
STATEMENT = {
    "id": "7ccd3322-e1a5-411a-a67d-6a735c76f119",
    "actor": {
        "objectType": "Agent",
        "account": {"homePage": "https://people.university.example", "name": "31234567"},
    },
    "verb": {"id": "http://id.tincanapi.com/verb/replied", "display": {"en": "Replied"}},
    "object": {"id": "https://vle.university.example/mod/forum/discuss.php?d=71#p912"},
    "context": {
        "contextActivities": {
            "grouping": [
                {
                    "id": "https://vle.university.example/course/HIST101-2026",
                    "definition": {"type": "https://w3id.org/xapi/cmi5/activitytype/course"},
                }
            ]
        }
    },
    "timestamp": "2026-02-03T10:15:00.000Z",
}
_REFUSAL = {"line": 2, "reason": "bad-time", "detail": "Write the time as ISO 8601 with date, time and offset, …"}
_PROBLEM = {
    "type": "object",
    "required": ["reason", "detail"],
    "properties": {"reason": {"type": "string"}, "detail": {"type": "string"}},
}
_EVENT_SCHEMA = {
    "type": "object",
    "required": ["student", "module", "activity", "at"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "maxLength": 200, "description": "The source's own id; makes a repeat harmless."},
        "student": {"type": "string", "maxLength": 200, "description": "The institution's person id."},
        "module": {"type": "string", "maxLength": 200},
        "activity": {"type": "string", "description": "A kind of activity that the policy register declares."},
        "at": {"type": "string", "format": "date-time"},
        "weight": {"type": "integer", "minimum": 1, "maximum": 100_000, "default": 1},
        "assessment": {
            "type": "string",
            "maxLength": 100,
            "description": "Of work that is handed in (activity `assignment`): its name in the directory's due dates.",
        },
    },
}
_RECEIPT = {
    "type": "object",
    "required": ["accepted", "refused"],
    "properties": {
        "accepted": {"type": "integer"},
        "refused": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "line": {"type": "integer", "description": "From 1; in an array, the event's place in it."},
                    "reason": {"type": "string"},
                    "detail": {"type": "string"},
                    "rule": {"type": "string", "description": "The policy's exclusion, where one bars the event."},
                },
            },
        },
    },
}
_CLOCK = {
    "type": "object",
    "properties": {
        "mode": {"enum": ["live", "replay"]},
        "at_ms": {"type": ["integer", "null"], "description": "The last tick, milliseconds since 1970 UTC."},
    },
}


def _json(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema, "example": example}}


def _wrong(status: int, text: str, reason: str, detail: str) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": text, "content": _json(_PROBLEM, {"reason": reason, "detail": detail})}}


_NOT_NOW: dict[str, Any] = {
    "description": "Consent cannot be known or the log not be written just now; the same request again is harmless.",
    "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
    "content": _json(_PROBLEM, {"reason": "not-now", "detail": "The door is closed for now, …"}),
}
_COMMON: dict[int | str, dict[str, Any]] = {
    **_wrong(401, "No or unknown credentials.", "unknown-source", "Send the name and key of a source system."),
    **_wrong(403, "Not permitted to this source.", "not-in-scope", "This source system's entry lacks the scope …"),
    **_wrong(408, "The body came too slowly.", "too-slow", "The body did not arrive within 30 s; …"),
    **_wrong(413, "Too large, or too many events.", "too-large", "The body is larger than 4000000 bytes; …"),
    **_wrong(415, "Not a content type that is taken.", "content-type", "Send application/json …"),
    503: _NOT_NOW,
}

POST_EVENTS: dict[str, Any] = {
    "summary": "Send events in Signpost's own format",
    "description": "One event, an array, or one a line (NDJSON). Each is taken or refused for itself. The answer never "
    "tells whether a student consents.",
    "status_code": 202,
    "responses": {
        202: {"description": "All were taken.", "content": _json(_RECEIPT, {"accepted": 1, "refused": []})},
        207: {"description": "Some were refused.", "content": _json(_RECEIPT, {"accepted": 1, "refused": [_REFUSAL]})},
        422: {"description": "All were refused.", "content": _json(_RECEIPT, {"accepted": 0, "refused": [_REFUSAL]})},
        **_COMMON,
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [_EVENT_SCHEMA, {"type": "array", "minItems": 1, "items": _EVENT_SCHEMA}]},
                    "examples": {"one": {"value": NATIVE_EVENT}, "several": {"value": [NATIVE_EVENT]}},
                },
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        }
    },
}
POST_STATEMENTS: dict[str, Any] = {
    "summary": "Send xAPI 1.0.3 statements",
    "description": "One statement or an array; one wrong statement refuses all, as the standard wants it. Statements "
    "whose verb, person or module is not known are taken and kept out.",
    "responses": {
        200: {
            "description": "All were taken; their ids.",
            "content": _json({"type": "array", "items": {"type": "string"}}, [STATEMENT["id"]]),
        },
        **_wrong(400, "A statement is wrong.", "invalid-statement", "/0/actor: the property 'account' …"),
        **_COMMON,
    },
    "openapi_extra": {
        "parameters": [
            {
                "name": "X-Experience-API-Version",
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "example": "1.0.3",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
                    "examples": {"one": {"value": STATEMENT}},
                }
            },
        },
    },
}
GET_ABOUT: dict[str, Any] = {"summary": "Which versions of xAPI are spoken"}
POST_CLOCK: dict[str, Any] = {
    "summary": "Say what time it is in a replay",
    "description": "Writes a tick into every partition, after all events taken before it. Needs the scope `clock`. "
    "`heard` says when systems of each kind had last sent anything by then, whoever it was about, so that a feed that "
    "had stopped is told from students who were away; a kind that is not named is not watched.",
    "responses": {
        200: {
            "description": "The tick stands in the log.",
            "content": _json(_CLOCK, {"mode": "replay", "at_ms": 1_770_112_800_000}),
        },
        **_wrong(409, "Time never runs backwards.", "clock-refused", "The clock stands at 1770112800000 and …"),
        **_COMMON,
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": _json(
                {
                    "type": "object",
                    "required": ["at_ms"],
                    "properties": {
                        "at_ms": {"type": "integer"},
                        "heard": {"type": "object", "additionalProperties": {"type": "integer"}},
                    },
                },
                {"at_ms": 1_770_112_800_000, "heard": {"vle": 1_770_112_798_000}},
            ),
        }
    },
}
GET_CLOCK: dict[str, Any] = {
    "summary": "What time it is in the log",
    "responses": {
        200: {
            "description": "`at_ms` is null before the first tick.",
            "content": _json(_CLOCK, {"mode": "replay", "at_ms": 1_770_112_800_000}),
        }
    },
}
