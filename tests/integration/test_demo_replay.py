"""Replays over real HTTP: in order, patient, repeatable, and never into a stack that they would harm."""

from __future__ import annotations

import datetime as dt
import io
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from deploy.demo import commands
from deploy.demo.commands import Oulad
from deploy.demo.replayer import Pace
from deploy.demo.session import Target
from deploy.demo.stack import Replays
from deploy.demo.university import Demo
from services.kernel.clock import midnight_ms, moment_ms
from services.kernel.errors import ConfigurationError
from services.kernel.settings import InstitutionSettings, Settings
from tests.support.demo_stack import PlayedStack, played_stack

LONDON = ZoneInfo("Europe/London")
DEMO = Demo(students=40, tutors=2, weeks=3)
SMALL = Pace(batch=25)


def target_of(played: PlayedStack, folder: Path) -> Target:
    console = Console(file=io.StringIO(), width=200)
    settings = Settings(institution=InstitutionSettings(time_zone="Europe/London"))
    return Target(settings, played.stack, folder / "replays.json", console)


def printed(target: Target) -> str:
    assert isinstance(target.console.file, io.StringIO)
    return target.console.file.getvalue()


def oulad_folder(folder: Path) -> Path:
    """Two presentations of three days."""
    codes = ("2013B", "2013J")
    tables = {
        "courses": ["code_module,code_presentation,module_presentation_length", *(f"AAA,{c},2" for c in codes)],
        "vle": [
            "id_site,code_module,code_presentation,activity_type",
            *(f"{site},AAA,{c},{kind}" for c in codes for site, kind in ((1, "forumng"), (2, "unknown"))),
        ],
        "studentRegistration": [
            "code_module,code_presentation,id_student,date_registration,date_unregistration",
            *(f"AAA,{c},{student},-5,?" for c in codes for student in range(10)),
        ],
        "studentVle": [
            "code_module,code_presentation,id_student,id_site,date,sum_click",
            *(f"AAA,{c},{student},1,{day},2" for c in codes for student in range(10) for day in (-1, 0, 2)),
            "AAA,2013J,3,2,0,1",
        ],
        "assessments": [
            "code_module,code_presentation,id_assessment,assessment_type,date",
            *(f"AAA,{c},{number},TMA,1" for number, c in enumerate(codes)),
        ],
        "studentAssessment": [
            "id_assessment,id_student,date_submitted,is_banked",
            *(f"{number},{student},1,0" for number, _ in enumerate(codes) for student in range(10)),
        ],
    }
    folder.mkdir()
    for name, lines in tables.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_a_term_arrives_whole_and_in_order_whatever_goes_wrong(tmp_path: Path) -> None:
    """Through 503, 429 and lost answers: each event once, each tick after every event before it."""
    with played_stack(trouble=9) as played:
        target = target_of(played, tmp_path)
        summary = commands.simulate_term(target, DEMO, pace=SMALL)
    assert summary is not None
    assert played.breaches == []
    assert played.early == 0, "events were sent before the consents were known"
    assert summary.sent == summary.accepted == len(played.events) > 1000
    assert summary.waits > 10
    assert played.sent_again > 0
    today = dt.datetime.now(LONDON).date()
    nights = [midnight_ms(today - dt.timedelta(days=n), LONDON) for n in range(21, -1, -1)]
    assert played.ticks == nights
    assert played.heard[0] == {}
    for at_ms, heard in zip(played.ticks[1:], played.heard[1:], strict=True):
        assert heard["vle"] == max(
            moment_ms(event["at"])
            for event_id, event in played.events.items()
            if played.systems[event_id] == "demo-vle" and moment_ms(event["at"]) < at_ms
        )


def test_a_students_events_are_sent_in_order(tmp_path: Path) -> None:
    """Students run side by side, but no student's events of a system overtake each other."""
    with played_stack(trouble=13) as played:
        commands.simulate_term(target_of(played, tmp_path), DEMO, pace=SMALL)
    times = defaultdict(list)
    for event_id in played.order:
        event = played.events[event_id]
        times[event["student"], played.systems[event_id]].append(event["at"])
    assert {system for _, system in times} == {"demo-vle", "demo-assessment", "demo-attendance"}
    assert all(at == sorted(at) for at in times.values())


def test_the_university_is_told_first(tmp_path: Path) -> None:
    """Everybody is known, and the choices cover the term."""
    with played_stack() as played:
        commands.seed(target_of(played, tmp_path), DEMO)
    assert Counter(person["role"] for person in played.people.values()) == {"student": 40, "tutor": 2}
    told = [{"id": each["id"], "name": each["name"], "roles": [each["role"]]} for each in played.people.values()]
    assert all(person in commands.sign_in_people(DEMO) for person in told)
    assert len(played.decisions) == 35 * 4 * 5  # 5 are undecided; four purposes and five sources
    first_day = dt.datetime.now(LONDON).date() - dt.timedelta(days=21)
    begun = {dt.datetime.fromisoformat(decision["from"]).date() for decision in played.decisions.values()}
    assert begun == {first_day - dt.timedelta(days=14)}
    assert not played.ticks


def test_a_second_replay_changes_nothing(tmp_path: Path) -> None:
    """The same events with the same ids, and no tick."""
    with played_stack() as played:
        commands.simulate_term(target_of(played, tmp_path), DEMO)
        events, ticks = dict(played.events), list(played.ticks)
        again = commands.simulate_term(target_of(played, tmp_path), DEMO)
        assert again is not None
        assert again.accepted == played.sent_again == len(events)
        assert (played.events, played.ticks, played.breaches) == (events, ticks, [])


def test_a_replay_that_is_done_can_be_left_out(tmp_path: Path) -> None:
    """As a second start of the whole does; on another stack it is made anew."""
    with played_stack() as played:
        commands.simulate_term(target_of(played, tmp_path), DEMO)
        posts = played.posts["events"]
        assert commands.simulate_term(target_of(played, tmp_path), DEMO, again=False) is None
        assert played.posts["events"] == posts
    with played_stack() as fresh:
        assert commands.simulate_term(target_of(fresh, tmp_path), DEMO, again=False) is not None


def test_a_broken_replay_is_taken_up_again_at_the_same_dates(tmp_path: Path) -> None:
    """Only ticks that are still to come are written."""
    with played_stack() as played:
        commands.seed(target_of(played, tmp_path), DEMO)
        played.clock_ms = midnight_ms(dt.datetime.now(LONDON).date() - dt.timedelta(days=5), LONDON)
        summary = commands.simulate_term(target_of(played, tmp_path), DEMO, again=False)
    assert summary is not None
    assert summary.first_day == dt.datetime.now(LONDON).date() - dt.timedelta(days=21)
    assert len(played.ticks) == 5


def test_real_presentations_follow_each_other(tmp_path: Path) -> None:
    """Each at its nominal date; what the register does not know is refused, counted and said."""
    data = Oulad(oulad_folder(tmp_path / "oulad"))
    with played_stack() as played:
        target = target_of(played, tmp_path)
        spring, autumn = commands.replay_oulad(target, data)
        assert (spring.first_day, autumn.first_day) == (dt.date(2013, 1, 31), dt.date(2013, 9, 30))
        assert (spring.accepted, autumn.accepted, dict(autumn.refused)) == (40, 40, {"unknown-activity": 1})
        assert played.breaches == []
        assert {source for _, _, source in played.decisions} == {"vle", "assessment"}
        assert {e["assessment"] for e in played.events.values() if "assessment" in e} == {"TMA-0", "TMA-1"}
        assert "refused 1 × unknown-activity: mend it so" in printed(target)


def test_a_presentation_is_shifted_past_the_stacks_clock(tmp_path: Path) -> None:
    """It begins on the day after, says so, and does the same whenever it is replayed again."""
    data = Oulad(oulad_folder(tmp_path / "oulad"), ("AAA/2013J",))
    with played_stack(clock_ms=midnight_ms(dt.date(2026, 3, 1), LONDON)) as played:
        target = target_of(played, tmp_path)
        (first,) = commands.replay_oulad(target, data)
        assert first.first_day == dt.date(2026, 3, 2)
        assert "AAA/2013J's start, 2013-10-01: it is replayed as if it began on 2026-03-03." in printed(target)
        events, ticks = dict(played.events), list(played.ticks)
        (second,) = commands.replay_oulad(target_of(played, tmp_path), data)
        assert second.first_day == first.first_day
        assert (played.events, played.ticks, played.breaches) == (events, ticks, [])
    replay = Replays(tmp_path / "replays.json").get("oulad AAA/2013J")
    assert replay is not None
    assert replay.completed


def test_a_stack_that_runs_by_the_machines_clock_is_left_alone(tmp_path: Path) -> None:
    """Nothing is sent, and the message says what to do."""
    with played_stack(mode="live") as played:
        with pytest.raises(ConfigurationError, match="SIGNPOST_CLOCK=replay"):
            commands.simulate_term(target_of(played, tmp_path), DEMO)
        assert not played.people
        assert not played.events


def test_wrong_credentials_are_named(tmp_path: Path) -> None:
    """Rather than tried again and again."""
    with played_stack() as played:
        target = target_of(played, tmp_path)
        target = replace(target, stack=replace(target.stack, source_key="another"))
        with pytest.raises(ConfigurationError, match="does not accept the credentials"):
            commands.simulate_term(target, DEMO)


def test_somebody_else_moving_the_clock_ends_the_replay(tmp_path: Path) -> None:
    """Two replays at once would close days that the other is still sending."""
    end_ms = midnight_ms(dt.datetime.now(LONDON).date() + dt.timedelta(days=1), LONDON)
    with played_stack(jump_to_ms=end_ms) as played, pytest.raises(ConfigurationError, match="Somebody else moves"):
        commands.simulate_term(target_of(played, tmp_path), DEMO)


def test_speed_holds_a_replay_back(tmp_path: Path) -> None:
    """Three days at ten a second take that long at least."""
    data = Oulad(oulad_folder(tmp_path / "oulad"), ("AAA/2013J",))
    with played_stack() as played:
        (summary,) = commands.replay_oulad(target_of(played, tmp_path), data, pace=Pace(days_per_second=10))
    assert summary.seconds >= 0.3


def test_without_a_terminal_progress_is_plain_lines(tmp_path: Path) -> None:
    """Some, not one for each day, and the summary at the end."""
    with played_stack() as played:
        target = target_of(played, tmp_path)
        commands.simulate_term(target, DEMO)
    lines = [line for line in printed(target).splitlines() if line.startswith("A term of 3 weeks: ")]
    assert 5 <= len(lines) <= 11
    assert lines[-1].startswith("A term of 3 weeks: 21/21 days")
    assert "the door asked to wait 0 times." in printed(target)


def test_on_a_terminal_progress_is_a_bar(tmp_path: Path) -> None:
    """It ends full."""
    with played_stack() as played:
        terminal = Console(file=io.StringIO(), width=160, force_terminal=True)
        target = replace(target_of(played, tmp_path), console=terminal)
        commands.simulate_term(target, DEMO)
    assert "21/21" in printed(target)
