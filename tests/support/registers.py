"""The policy register in a test: what its page calls its entries, and registers with what the shipped one lacks."""

from __future__ import annotations

from services.consent.pages.register.published import Published
from services.kernel.register import SHIPPED, parse_register

KINDS = {  # of the file, and what their ids on the page begin with
    "purposes": "purpose", "sources": "source", "activities": "activity", "exclusions": "exclusion",
    "special_categories": "special-category", "indicators": "indicator", "thresholds": "threshold", "rules": "rule",
    "vacations": "vacation", "views": "view", "roles": "role", "retention": "retention",
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


LOCAL = """
[[thresholds]]
name = "field-work"
title = "Field work"
indicator = "days-since-last-activity"
reason = "The weeks of field work are spent outdoors."
modules = ["GEOG210", "GEOG310"]
first_day = 2026-03-09
watch = 14
alert = 21
recovery = 2

[thresholds.cy]
title = "Gwaith maes"
reason = "Treulir wythnosau'r gwaith maes yn yr awyr agored."

[[thresholds]]
name = "no-trend"
title = "No trend"
indicator = "own-trend"
reason = "A year abroad follows no weekly rhythm."
modules = ["ABROAD1"]

[thresholds.cy]
title = "Dim tuedd"
reason = "Nid yw blwyddyn dramor yn dilyn rhythm wythnosol."

[[vacations]]
name = "easter"
title = "Easter"
first_day = 2026-03-28
last_day = 2026-04-12

[vacations.cy]
title = "Y Pasg"
"""


def local() -> Published:
    """The register of an institution with a vacation, and with other thresholds on some modules."""
    text = (SHIPPED.read_text("utf-8") + LOCAL).encode()
    return Published(parse_register(text, SHIPPED), text, Published.read().earlier, 0)
