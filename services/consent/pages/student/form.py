"""The form of choices, from what a browser sent to what the student chose.

All purposes stand in one form, so that no typed choice is lost to a button elsewhere; a switch is named
"purpose.source". The page sets the switches to what the student has decided before, and says in hidden fields what it
showed. Only what differs from that was chosen: so an old page in another tab gives nothing again that has been taken
back meanwhile, and a yes whose end is near is renewed only by who says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Self

from starlette.datastructures import FormData

from services.consent.domain.decisions import Cell, ConsentEvent, Terms
from services.consent.pages.student.views import preset
from services.kernel.register import Register

_ANSWERS = {"yes": True, "no": False}
_LONGEST_NUMBER = 15


def field(cell: Cell) -> str:
    """The name of a switch."""
    return ".".join(cell)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came.

    Attributes:
        answers: every switch that is set, by cell.
        seen_version, seen_ms: which of the student's versions the page showed, and when; None where it does not say.
        shown: version and language of the notice.
    """

    answers: Mapping[Cell, bool]
    seen_version: int | None
    seen_ms: int | None
    shown: tuple[str, str]

    @classmethod
    def read(cls, form: FormData, register: Register) -> Self:
        """What stands in the form; whatever nobody is asked is left out."""
        said = {cell: _ANSWERS[answer] for cell in _cells(register) if (answer := _text(form, field(cell))) in _ANSWERS}
        return cls(
            said, _number(form, "seen"), _number(form, "seen_ms"), (_text(form, "notice"), _text(form, "language"))
        )

    def chosen(self, history: list[ConsentEvent], terms: Terms) -> dict[Cell, bool]:
        """The answers that differ from what the page showed."""
        if self.seen_version is None or self.seen_ms is None:
            return dict(self.answers)
        seen = [event for event in history if event.version <= self.seen_version]
        before = preset(seen, self.seen_ms, terms)
        return {cell: yes for cell, yes in self.answers.items() if before.get(cell) is not yes}


def for_all(form: FormData, purpose: str, register: Register) -> dict[Cell, bool]:
    """The same answer for each system, where the form gives one."""
    answer = _ANSWERS.get(_text(form, "all"))
    return {} if answer is None else dict.fromkeys(((purpose, source) for source in register.source), answer)


def as_draft(choices: Mapping[Cell, bool], register: Register) -> str:
    """Choices that are not recorded yet, as short as a cookie needs them; they count under this register only."""
    letters = ("-" if cell not in choices else "y" if choices[cell] else "n" for cell in _cells(register))
    return f"{register.version} {''.join(letters)}" if choices else ""


def of_draft(draft: str, register: Register) -> dict[Cell, bool]:
    """The choices again; none where the register has changed meanwhile."""
    version, _, letters = draft.partition(" ")
    cells = _cells(register)
    if version != register.version or len(letters) != len(cells):
        return {}
    return {cell: letter == "y" for cell, letter in zip(cells, letters, strict=True) if letter in "yn"}


def _cells(register: Register) -> list[Cell]:
    return list(product(register.askable, register.source))


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _number(form: FormData, name: str) -> int | None:
    value = _text(form, name)
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER else None
