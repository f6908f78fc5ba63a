"""From figures to levels, and from levels to the start and the end of episodes, for many places at once."""

from services.indicators.domain.rules.episodes import BACK_TO_USUAL, RULE_GONE, Change
from services.indicators.domain.rules.judging import Judgement, Rules, Situation
from services.indicators.domain.rules.standing import Memory, Standing, episode_id
from services.indicators.domain.rules.thresholds import LEVELS, Thresholds

__all__ = [
    "BACK_TO_USUAL", "LEVELS", "RULE_GONE", "Change", "Judgement", "Memory", "Rules", "Situation", "Standing",
    "Thresholds", "episode_id",
]  # fmt: skip
