"""The policy register in a test: what its page calls its entries, and a register with an approved benefit."""

from __future__ import annotations

from services.consent.pages.register.published import Published
from services.kernel.register import SHIPPED, parse_register

KINDS = {  # of the file, and what their ids on the page begin with
    "purposes": "purpose", "sources": "source", "activities": "activity", "exclusions": "exclusion",
    "special_categories": "special-category", "indicators": "indicator", "rules": "rule", "views": "view",
    "roles": "role", "retention": "retention",
}  # fmt: skip
BENEFIT = (
    '[special_categories.benefit_record]\nreference = "EC 26/41"\napproved_by = "Education Committee"\n'
    'approved_on = 2026-06-10\nfinding = "Adjusted deadlines no longer look like missing work."\n\n'
    "[special_categories.cy]"
)


def approved() -> Published:
    """The register with one special category whose benefit was shown."""
    text = SHIPPED.read_text("utf-8").replace("[special_categories.cy]", BENEFIT, 1).encode()
    return Published(parse_register(text, SHIPPED), text, Published.read().earlier, 0)
