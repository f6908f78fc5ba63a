"""What the messages say. Pure: facts in, a message out.

To a tutor: a link that needs sign-in, and no word of the student. To a student, in the language in which they read the
notice: what of theirs ends and when, that their tutor is there for them in any case, and that no answer means no use.
A message's id is the same in each attempt, so that a second copy after a crash between sending and noting it can be
recognised.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from zoneinfo import ZoneInfo

from babel.dates import format_date

from services.kernel.events import RenewalRequested
from services.notify.adapters.deliveries import Delivery
from services.notify.adapters.directory import PersonRecord


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What messages carry beside their text.

    Attributes:
        public_url, portal_url: of the tutors' pages and of the students' choices, without a slash at the end.
        zone: in which days are named.
    """

    sender: str
    public_url: str
    portal_url: str
    institution: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class _Words:
    greeting: str
    subject: Mapping[str, str]  # by the reason of a reminder, as the next
    body: Mapping[str, str]
    closing: str


def compose(delivery: Delivery, recipient: PersonRecord, letterhead: Letterhead) -> EmailMessage:
    """The message that a delivery stands for."""
    if isinstance(delivery.about, RenewalRequested):
        message = _to_student(delivery.about, recipient.name, letterhead)
    else:
        message = _to_tutor(delivery.about, recipient.name, letterhead)
    message["From"] = letterhead.sender
    message["To"] = recipient.email
    message["Date"] = formatdate(delivery.created_ms / 1000)
    message["Message-ID"] = f"<{delivery.id}@{letterhead.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    return message


def _to_tutor(case_id: str, name: str, letterhead: Letterhead) -> EmailMessage:
    """That a case is open."""
    message = EmailMessage()
    message["Subject"] = "Signpost: one of your students may welcome a conversation"
    message.set_content(
        f"Dear {name},\n\n"
        "One of the students you tutor may welcome a conversation. To see who and why, sign in:\n\n"
        f"{letterhead.public_url}/tutor/cases/{case_id}\n\n"
        "The student has agreed that you are told, and can change that at any time. This message names nobody on\n"
        "purpose. What Signpost shows describes activity; it is not for assessment, progression or award.\n\n"
        f"{letterhead.institution}\n"
    )
    return message


def _to_student(reminder: RenewalRequested, name: str, letterhead: Letterhead) -> EmailMessage:
    """That something they said yes to ends, has ended, or must be said again."""
    language = reminder.language if reminder.language in _WORDS else "en"
    words = _WORDS[language]
    day = dt.datetime.fromtimestamp(reminder.until_ms // 1000, letterhead.zone).date()
    facts = {"day": format_date(day, "d MMMM y", locale=language), "url": f"{letterhead.portal_url}/", "name": name}
    parts = (words.greeting, words.body[reminder.reason], words.closing)
    message = EmailMessage()
    message["Subject"] = words.subject[reminder.reason].format(**facts)
    message.set_content("\n\n".join(part.format(**facts) for part in (*parts, letterhead.institution)) + "\n")
    message["Content-Language"] = language
    return message


_WORDS = {
    "en": _Words(
        greeting="Dear {name},",
        subject={
            "ending": "Signpost: your choices end on {day}",
            "ended": "Signpost: your choices have ended",
            "notice-changed": "Signpost: please choose again",
        },
        body={
            "ending": (
                "A year ago or so you said what Signpost may use about you. The first of that ends on {day}.\n\n"
                "If it is to go on, say yes again. It takes a minute:\n\n{url}\n\n"
                "If you do not answer, that counts as no: from that day on it is not used. You need do nothing for it."
            ),
            "ended": (
                "What you had said yes to in Signpost ended on {day}, at least in part. It is not used any more.\n\n"
                "If you are content with that, you need do nothing. To say yes again:\n\n{url}\n\n"
                "Without an answer nothing is used."
            ),
            "notice-changed": (
                "What Signpost asks of you has changed in something that matters. So what you had said yes to before\n"
                "{day} no longer counts, and is not used.\n\n"
                "See what is new, and choose again:\n\n{url}\n\n"
                "If you do not answer, that counts as no."
            ),
        },
        closing=(
            "Whatever you choose, your tutor and all ordinary tutoring stay there for you, and it never affects your\n"
            "marks, your progress or your award."
        ),
    ),
    "cy": _Words(
        greeting="Annwyl {name},",
        subject={
            "ending": "Signpost: daw eich dewisiadau i ben ar {day}",
            "ended": "Signpost: mae eich dewisiadau wedi dod i ben",
            "notice-changed": "Signpost: dewiswch eto, os gwelwch yn dda",
        },
        body={
            "ending": (
                "Tua blwyddyn yn ôl dywedoch beth y caiff Signpost ei ddefnyddio amdanoch. Daw'r cyntaf o hynny i ben\n"
                "ar {day}.\n\n"
                "Os yw i barhau, dywedwch ie eto. Mae'n cymryd munud:\n\n{url}\n\n"
                "Os nad ydych yn ateb, mae hynny'n cyfrif fel na: o'r diwrnod hwnnw ymlaen ni chaiff ei ddefnyddio.\n"
                "Nid oes angen i chi wneud dim."
            ),
            "ended": (
                "Daeth yr hyn y dywedoch ie iddo yn Signpost i ben ar {day}, o leiaf yn rhannol. Nid yw'n cael ei\n"
                "ddefnyddio mwyach.\n\n"
                "Os ydych yn fodlon ar hynny, nid oes angen i chi wneud dim. I ddweud ie eto:\n\n{url}\n\n"
                "Heb ateb, ni ddefnyddir dim."
            ),
            "notice-changed": (
                "Mae'r hyn y mae Signpost yn ei ofyn gennych wedi newid mewn rhywbeth sy'n bwysig. Felly nid yw'r hyn\n"
                "y dywedoch ie iddo cyn {day} yn cyfrif mwyach, ac nid yw'n cael ei ddefnyddio.\n\n"
                "Gwelwch beth sy'n newydd, a dewiswch eto:\n\n{url}\n\n"
                "Os nad ydych yn ateb, mae hynny'n cyfrif fel na."
            ),
        },
        closing=(
            "Beth bynnag a ddewiswch, mae eich tiwtor a'r holl diwtora arferol yno i chi o hyd, ac nid yw byth yn\n"
            "effeithio ar eich marciau, eich cynnydd na'ch dyfarniad."
        ),
    ),
}
