"""Puts the pages of requests, and the interface of programs, into the service's app."""

from __future__ import annotations

from fastapi import FastAPI

from services.consent.api import requests as interface
from services.consent.pages.requests.decisions import DecisionPages
from services.consent.pages.requests.parts import Parts
from services.consent.pages.requests.staff import StaffPages
from services.consent.pages.requests.student import StudentPages


def install(app: FastAPI, parts: Parts) -> None:
    """Add all of them."""
    app.include_router(StudentPages(parts).router())
    app.include_router(StaffPages(parts).router())
    app.include_router(DecisionPages(parts).router())
    app.include_router(interface.router(parts))
