"""Where a simulation's history and tutors come from: a stack, or OULAD's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deploy.demo.progress import Step, progress
from services.kernel.errors import ConfigurationError
from services.kernel.register import Register
from services.kernel.settings import Settings, load_settings

if TYPE_CHECKING:
    from deploy.demo.outcomes.evaluation import Evaluation
    from services.indicators.simulation.loads import Loads

_NO_TUTORS = (
    "There is no database of tutors at {}: SIGNPOST_NOTIFY__DATABASE_URL says where it is; `signpost serve notify` "
    "makes it, or brings it up to date. `signpost up` runs a stack that has one; --oulad needs none."
)


def settings_of(state: Path) -> Settings:
    """How to reach the stack in the folder or, where it never was up, the one of the settings."""
    from deploy.local.environment import register
    from deploy.local.state import StateFolder

    settings, folder = load_settings(), StateFolder(state)
    run = folder.run()
    if run is None:
        return settings
    kafka = settings.kafka.model_copy(update={"bootstrap": run.bootstrap})
    notify = settings.notify.model_copy(update={"database_url": f"sqlite:///{state / 'notify.db'}"})
    known = {"kafka": kafka, "notify": notify, "register_file": register(folder), "clock": run.clock}
    return settings.model_copy(update=known)


def presentations(folder: Path, names: Sequence[str], register: Register, aside: Console) -> Evaluation:
    """OULAD's presentations, read."""
    from deploy.demo.outcomes.evaluation import Evaluation

    with progress(aside, "Clicks read", 100, "%") as step:
        return Evaluation(folder, names, register, lambda share: step(int(100 * share), ""))


def of_oulad(folder: Path, names: Sequence[str], present: Register, proposed: Register, aside: Console) -> Loads:
    """The loads of tutors who are made up, on real presentations."""
    from deploy.demo.outcomes.simulation import Simulation

    found = presentations(folder, names, present, aside)
    aside.print(
        "The dataset hides its dates and its tutors: vacations and first days do not apply, groups are made up."
    )
    with progress(aside, "Days judged", int(found.students.length.max()), "days") as step:
        return Simulation(found).loads(present, proposed, step)


def of_stack(settings: Settings, present: Register, proposed: Register, aside: Console) -> Loads:
    """The loads of a stack's own tutors, on what its topics still hold.

    Raises:
        ConfigurationError: there is no history, or no database of tutors.
        TransientError: the broker does not answer.
    """
    from services.indicators.simulation.history import History
    from services.indicators.simulation.loads import compare
    from services.indicators.simulation.rerun import rerun
    from services.kernel.clock import local_days

    tutors, history = _tutors(settings.notify.database_url), History(settings.kafka)
    day_of, runs = local_days(settings.institution.zone), []
    begin = day_of(history.begin_ms)
    aside.print(_since(is_whole=history.is_whole, begin=begin))
    for name, register in (("Present thresholds", present), ("Proposed thresholds", proposed)):
        with progress(aside, name, history.records, "records") as step:
            done = _Counted(step)
            runs.append(rerun(history, register, settings, done.add))
    return compare(runs[0].alerts, runs[1].alerts, tutors, range(begin, day_of(runs[0].end_ms) + 1))


class _Counted:
    """Sums up what a bar is told in parts."""

    def __init__(self, step: Step) -> None:
        self._step, self._done = step, 0

    def add(self, number: int) -> None:
        self._done += number
        self._step(self._done, "")


def _since(*, is_whole: bool, begin: int) -> str:
    from services.kernel.clock import iso_day

    if is_whole:
        return f"History is whole; it begins on {iso_day(begin)}."
    return (
        f"History is retained from {iso_day(begin)}. What students did before is not known any more, so nobody is"
        " taken to have been seen before that day, and rules that look back further begin later."
    )


def _tutors(url: str) -> Mapping[str, Sequence[str]]:
    """The tutors of each student, by pseudonym."""
    from sqlalchemy.engine import make_url

    from services.kernel import database
    from services.notify.adapters.directory import Directory
    from services.notify.app import MIGRATIONS

    parsed = make_url(url)
    where = parsed.render_as_string(hide_password=True)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise ConfigurationError(_NO_TUTORS.format(where))
    engine = database.engine(url)
    try:
        if problem := database.behind(engine, MIGRATIONS):
            raise ConfigurationError(f"{_NO_TUTORS.format(where)} Now {problem}.")
        with database.reading(engine) as transaction:
            return Directory(transaction).tutoring()
    finally:
        engine.dispose()
