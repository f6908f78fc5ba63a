"""What a partition publishes, from events in the order of the log, is what the slow reference says of the same term."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from random import Random

import pytest
from msgspec import structs

from services.indicators.domain.formulas import COMPARED
from services.indicators.handlers import Partition
from services.kernel.clock import DAY_MS, HOUR_MS
from services.kernel.events import ClockTicked, IndicatorsComputed, ModuleIndicators
from services.kernel.register import Register, Vacation
from tests.support import reference
from tests.support.lives import START, WEEKS, Life, life, moment
from tests.support.partitions import REGISTER, SETTINGS, Alone, published, record
from tests.support.reference import DAY
from tests.support.students import START_MS, student_of

STUDENTS = [student_of(f"life {number}") for number in range(3)]
NOON_MS = 12 * HOUR_MS


def with_vacations(vacations: Sequence[tuple[dt.date, dt.date]]) -> Register:
    """The register with these vacations and no others."""
    entries = [
        Vacation(name=f"vacation-{number}", title="Vacation", first_day=first, last_day=last)
        for number, (first, last) in enumerate(vacations)
    ]
    return structs.replace(REGISTER, vacations=tuple(entries))


def lived(random: Random) -> tuple[Partition, list[Life]]:
    """A partition that knows some students who have not done anything yet, and what they are going to do."""
    breaks = [START + random.randrange(7 * WEEKS) * DAY for _ in range(random.randrange(3))]
    vacations = [(first, first + random.randrange(1, 24) * DAY) for first in breaks]
    made = Alone(with_vacations(vacations), SETTINGS)
    lives = [life(random, student, vacations) for student in STUDENTS]
    for each in lives:
        made.consent(record(each.consent))
        made.enrolments(record(each.enrolments))
    made.reconcile()
    return made, lives


def run(made: Partition, lives: Sequence[Life], from_ms: int, until_ms: int) -> None:
    """Let the log come to a tick: events as they arrive, and a tick each noon."""
    events = [(at_ms, event) for each in lives for at_ms, event in each.arrived if from_ms < at_ms <= until_ms]
    ticks = [(at_ms, ClockTicked(at_ms=at_ms)) for at_ms in range(from_ms + DAY_MS, until_ms + 1, DAY_MS)]
    log = sorted([*events, *ticks], key=lambda entry: (entry[0], isinstance(entry[1], ClockTicked)))
    records = [record(entry) for _, entry in log]
    assert made.apply(records, consent_is_complete=True) == len(records)


def told(said: IndicatorsComputed) -> dict[str, float | str]:
    """The figures that need no cohort, or why they are unsaid."""
    (module,) = said.modules
    figures: dict[str, float | str] = {i.name: i.value for i in module.indicators} | module.unsaid
    return {name: value for name, value in figures.items() if name not in COMPARED}


NEEDS = {"attendance": "attendance", "late-work": "assessment", "missing-work": "assessment"}


def expected(life: Life, now_ms: int) -> dict[str, object]:
    """What the reference says; where the only system of a figure is not permitted, that it has no source."""
    figures = reference.figures(life.history(now_ms), moment(now_ms))
    return {
        name: "no-source"
        if NEEDS.get(name, "") not in {"", *life.granted_ms}
        else value
        if isinstance(value, str)
        else pytest.approx(value, rel=1e-9, abs=1e-9)
        for name, value in figures.items()
    }


def made_from(module: ModuleIndicators) -> dict[str, dict[str, float]]:
    """The inputs of the figures that need no cohort and have any."""
    return {i.name: i.inputs for i in module.indicators if i.inputs and i.name not in COMPARED}


def inputs(life: Life, now_ms: int) -> dict[str, object]:
    """What the reference says they were made from."""
    made = reference.made_from(life.history(now_ms), moment(now_ms))
    permitted = {name: of for name, of in made.items() if NEEDS.get(name, "") in {"", *life.granted_ms}}
    return {name: pytest.approx(of, rel=1e-9) for name, of in permitted.items()}


@pytest.mark.parametrize("seed", range(8))
def test_published_figures_are_what_the_reference_says(seed: int) -> None:
    """With vacations, leave, several systems, weights, and events that are late, doubled and in no order."""
    random = Random(seed)
    made, lives = lived(random)
    before_ms = START_MS - NOON_MS
    for day in sorted(random.sample(range(5, 7 * WEEKS), 4)):
        now_ms = START_MS + day * DAY_MS + NOON_MS
        run(made, lives, before_ms, now_ms)
        changes = made.changes()
        for each in lives:
            if changes.indicators.get(each.student) is None:
                assert min(each.granted_ms.values()) > now_ms
                continue
            said = published(changes, each.student)
            (module,) = said.modules
            history = each.history(now_ms)
            assert told(said) == expected(each, now_ms)
            assert made_from(module) == inputs(each, now_ms)
            assert module.weekly_active_days == reference.weekly_active_days(history, moment(now_ms))
            assert module.since_day == history.since.isoformat()
        made.flushed()
        before_ms = now_ms
