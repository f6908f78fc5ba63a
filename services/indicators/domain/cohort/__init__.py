"""Where a student stands among those of the module who let themselves be counted.

Partitions count their own students into histograms, which add up to the module's; nobody ever looks through students.
`docs/adr/0011-cohort-norms.md` says why, and how far off the figures may be.
"""

from services.indicators.domain.cohort.comparison import COLUMNS, basis, cohort_figures, compare
from services.indicators.domain.cohort.counting import ALL_OF_IT, NOTHING, count, members, monday
from services.indicators.domain.cohort.histograms import EXACT_BELOW, WIDTH, Histograms, lowest_of, z_error
from services.indicators.domain.cohort.index import INDEX_PARTS, at_or_below, engagement_index
from services.indicators.domain.cohort.norms import FEWEST, ModuleNorm, Norms, merge

__all__ = [
    "ALL_OF_IT", "COLUMNS", "EXACT_BELOW", "FEWEST", "INDEX_PARTS", "NOTHING", "WIDTH", "Histograms",
    "ModuleNorm", "Norms", "at_or_below", "basis", "cohort_figures", "compare", "count", "engagement_index",
    "lowest_of", "members", "merge", "monday", "z_error",
]  # fmt: skip
