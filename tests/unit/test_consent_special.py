"""Special-category data: a yes is explicit and approved, or it is not recorded."""

from __future__ import annotations

import pytest

from services.consent.domain.decisions import Channel, Decision, State
from services.consent.domain.special import NotExplicit, require_explicit

HEALTH = "special-category:health"
pytestmark = pytest.mark.requirement("R4")


def said(purpose: str = HEALTH, state: State = "given", channel: Channel = "portal") -> Decision:
    return Decision(purpose, "vle", state, 1, 2 if state == "given" else None, "2026-1", "en", channel=channel)


@pytest.mark.parametrize("channel", ["portal", "staff-assisted"])
def test_an_explicit_yes_to_an_approved_category_is_recorded(channel: Channel) -> None:
    require_explicit([said(channel=channel)], {HEALTH})


@pytest.mark.parametrize("channel", ["registration", "life-cycle"])
def test_a_yes_that_nobody_said_in_so_many_words_is_not(channel: Channel) -> None:
    with pytest.raises(NotExplicit, match=f"explicitly, not through {channel}"):
        require_explicit([said("tutor-notify"), said(channel=channel)], {HEALTH})


def test_a_yes_to_what_the_register_does_not_approve_is_not() -> None:
    with pytest.raises(NotExplicit, match="approves no use of special-category:religion"):
        require_explicit([said("special-category:religion")], {HEALTH})


@pytest.mark.parametrize("state", ["refused", "withdrawn", "requested", "expired", "invalidated"])
@pytest.mark.parametrize("channel", ["portal", "registration", "staff-assisted", "life-cycle"])
def test_saying_no_is_possible_in_every_way(state: State, channel: Channel) -> None:
    require_explicit([said(state=state, channel=channel)], set())


def test_other_purposes_are_not_touched() -> None:
    require_explicit([said("tutor-notify", channel="registration")], set())
