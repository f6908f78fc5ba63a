"""What tutors read: observed behaviour with its figure, never a prediction."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from services.kernel.register import load_register
from services.notify.adapters.directory import PersonRecord
from services.notify.domain import Case, Reason
from services.notify.handlers.casework import CaseView
from services.notify.handlers.intake import ENDS
from services.notify.pages import charts, wording
from services.notify.pages.wording import Words
from tests.support.notify import NOW_MS, computed, new_gate, student_of, trigger

AMINA = PersonRecord("s1", student_of("s1"), "Amina Yusuf", "amina@students.example", "student")
REGISTER = load_register()
WORDS = Words(REGISTER, {"HIST101": "A History of Maps"})
REASON = Reason.of(trigger(AMINA.pseudonym))
VIEW = CaseView(Case("c1", AMINA.pseudonym, "opened", NOW_MS), AMINA, [REASON], None)


def test_without_figures_the_triggers_own_are_told() -> None:
    assert WORDS.reason(REASON, None) == "No activity on A History of Maps for 14 days, since 27 January 2026."


def test_todays_figures_are_told_where_there_are_any() -> None:
    figures = computed(AMINA.pseudonym, days=16)
    assert (
        WORDS.reason(new_gate().as_of_now(REASON, figures), figures)
        == "No activity on A History of Maps for 16 days, since 26 January 2026."
    )


def test_who_was_never_seen_is_said_to_be_so() -> None:
    figures = computed(AMINA.pseudonym, days=30)
    never = replace(figures, modules=(replace(figures.modules[0], last_active_day=None),))
    assert WORDS.reason(new_gate().as_of_now(REASON, never), never) == (
        "No activity on A History of Maps in the 30 days since 12 January 2026, when it could first be seen."
    )


def test_a_recovery_is_told() -> None:
    recovered = dataclasses.replace(REASON, recovered_day="2026-02-11")
    assert WORDS.reason(recovered, None) == "Active again on A History of Maps since 11 February 2026."
    view = dataclasses.replace(VIEW, reasons=[recovered])
    assert WORDS.whom_first([view]).startswith("Nobody is pressing. Amina Yusuf: active again")


def test_an_episode_that_ended_is_not_told_beside_a_newer_one() -> None:
    """Otherwise a student would be silent and active again on one module, in one breath."""
    before = dataclasses.replace(
        REASON, trigger_id="before", raised_ms=REASON.raised_ms - 1, recovered_day="2026-01-28"
    )
    view = dataclasses.replace(VIEW, reasons=[before, REASON])
    assert WORDS.reasons(view) == [WORDS.reason(REASON, None)]


def test_a_list_tells_one_reason_of_each_module_and_how_many_more_there_are() -> None:
    """Somebody who is silent is so by several rules; the plainest sentence goes first, whatever lies furthest past."""
    trend = dataclasses.replace(
        REASON, trigger_id="t", rule="falling-off", value=-9, threshold=-1.1, downwards=True,
        inputs={"last-week": 0, "weeks-before": 10},
    )  # fmt: skip
    elsewhere = dataclasses.replace(trend, trigger_id="e", module="BIOL120")
    back = dataclasses.replace(REASON, trigger_id="b", rule="low-activity", recovered_day="2026-02-11")
    words = Words(REGISTER, WORDS.titles | {"BIOL120": "Cells"})
    view = dataclasses.replace(VIEW, reasons=[back, trend, REASON, elsewhere])
    assert words.why(view) == [words.reason(REASON, None), words.reason(elsewhere, None), "And 2 more reasons."]
    assert words.why(dataclasses.replace(VIEW, reasons=[trend, REASON]))[1:] == ["And 1 more reason."]
    assert words.why(VIEW) == [words.reason(REASON, None)]


def test_the_first_line_speaks_of_the_first_case() -> None:
    assert WORDS.whom_first([]) == "Nobody needs you right now."
    assert WORDS.whom_first([VIEW]).startswith("Talk to Amina Yusuf first: no activity on")
    taken = dataclasses.replace(VIEW, case=VIEW.case.acknowledge())
    assert WORDS.whom_first([taken]).startswith("You have taken on every open case; Amina Yusuf comes first.")


@pytest.mark.requirement("R7")
def test_no_sentence_predicts() -> None:
    said = " ".join([*WORDS.reasons(VIEW), WORDS.whom_first([VIEW]), WORDS.headline(VIEW)]).casefold()
    assert not any(word in said for word in ("risk", "fail", "likely", "drop", "predict", "weak", "problem"))


def test_another_rule_is_told_by_its_sentence() -> None:
    """With what the figure was made of, where it is known; by its title where it is not."""
    rule = replace(REGISTER.rules[0], name="owed", indicator="missing-work")
    words = Words(replace(REGISTER, rules=(rule,)), WORDS.titles)
    owed = dataclasses.replace(REASON, rule="owed", value=2, threshold=2)
    assert words.reason(owed, None) == (
        "A History of Maps: work not handed in, in 28 days: 2 pieces of work, as of 10 February 2026."
    )
    assert words.reason(dataclasses.replace(owed, inputs={"due": 3}), None) == (
        "A History of Maps: 2 pieces of work not handed in, of 3 due in the last 28 days, as of 10 February 2026."
    )
    back = dataclasses.replace(owed, recovered_day="2026-02-11")
    assert words.reason(back, None) == "Back to usual on A History of Maps since 11 February 2026."


@pytest.mark.parametrize(
    ("why", "said", "line"),
    [
        ("back-to-usual", "Active again on A History of Maps", "Back to usual on A History of Maps"),
        ("module-over", "A History of Maps has been over", "A History of Maps is over"),
        ("left", "No longer on A History of Maps", "No longer on A History of Maps"),
        ("leave", "On an agreed absence from A History of Maps", "An agreed absence from A History of Maps began"),
        ("exempt", "Exempt on A History of Maps", "An exemption on A History of Maps began"),
        (
            "rule-gone",
            "No longer looked for on A History of Maps",
            "What was seen on A History of Maps no longer opens a case",
        ),
        ("a-later-release-knows", "Active again on A History of Maps", None),
    ],
)
def test_an_end_is_told_with_its_reason(why: str, said: str, line: str | None) -> None:
    ended = dataclasses.replace(REASON, recovered_day="2026-02-11", ended_why=why)
    assert WORDS.reason(ended, None) == f"{said} since 11 February 2026."
    if line:
        what = why if why in ENDS else "recovered"
        assert WORDS.history(what, "", REASON.module) == line


@pytest.mark.parametrize(
    ("downwards", "threshold", "values"),
    [(False, 14, (14, 15, 42)), (True, 1, (1, 0)), (True, 50, (49, 10, 0)), (True, -1.1, (-1.1, -1.2, -4))],
)
def test_what_lies_further_past_its_threshold_is_more_pressing(
    downwards: bool,  # noqa: FBT001 - a table's column
    threshold: float,
    values: tuple[float, ...],
) -> None:
    reasons = [dataclasses.replace(REASON, value=v, threshold=threshold, downwards=downwards) for v in values]
    assert [reason.past for reason in reasons] == sorted(reason.past for reason in reasons)
    assert min(reason.past for reason in reasons) >= 1


def test_charts_start_at_zero_and_have_their_figures_in_words() -> None:
    for chart in (charts.spark((7, 0, 3), "a"), charts.weekly((7, 0, 3), "a")):
        assert "Oldest first: 7, 0, 3 of 7 days." in chart
        assert chart.count('class="bar"') == 2
        assert chart.count('class="none"') == 1


def test_names_of_weeks_count_back_from_now() -> None:
    assert [charts.week_name(back) for back in (3, 2, 1)] == ["−2 w", "−1 w", "now"]


def test_outcomes_have_words() -> None:
    assert wording.outcome("met") == "Met: we had a conversation"
    assert wording.outcome(None) == ""


def test_a_reason_that_is_judged_anew_does_not_tell_why() -> None:
    """What a student shares, and with whom, is not for the tutor to know."""
    lost = dataclasses.replace(REASON, recovered_day="2026-02-11", ended_why="judged-anew")
    assert WORDS.reason(lost, None) == "Being judged anew on A History of Maps."
