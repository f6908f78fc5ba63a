"""The parts of the consent service, made from the settings and wired by hand; nothing connects here."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from services.consent.adapters import places, propagation
from services.consent.adapters.kafka.log_reader import LogReader, Record
from services.consent.adapters.ledger import outbox
from services.consent.domain.decisions import Terms
from services.consent.domain.renewals import Schedule
from services.consent.domain.requests.deadlines import DeadlineRules
from services.consent.handlers.consents import Consents
from services.consent.handlers.coverage import Coverages, Tabulating
from services.consent.handlers.life_cycle import LifeCycle, Living
from services.consent.handlers.oversight import Oversight
from services.consent.handlers.proof.anchoring import Anchoring
from services.consent.handlers.proof.permitted import PointInTime
from services.consent.handlers.proof.verification import Verification, Verifying
from services.consent.handlers.propagation import AskingAgain, Propagation
from services.consent.handlers.requests.handling import Requests
from services.consent.handlers.requests.watch import RequestWatch
from services.consent.notices import FOLDER, load_notices
from services.consent.pages.register.published import Published
from services.consent.receipts.document import Issuer
from services.consent.receipts.issuing import Receipts
from services.consent.signing import Keys, PublicKeys
from services.kernel import database
from services.kernel.background import Background
from services.kernel.clock import SystemClock
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import ConsentMetrics
from services.kernel.outbox import OutboxRelay
from services.kernel.settings import Settings, required
from services.kernel.topics import CONSENT_RECEIPTS, ENROLMENTS

SERVICE = "consent"


class Wiring:
    """Every part that more than one other part stands on, and what runs in the background.

    Raises:
        ConfigurationError: a secret, the register or a notice is missing or wrong.
    """

    def __init__(self, settings: Settings, metrics: ConsentMetrics) -> None:
        self.settings, self.metrics = settings, metrics
        self._make_facts()
        self._make_use_cases()

    def _make_facts(self) -> None:
        settings, own = self.settings, self.settings.consent
        self.published = Published.read(settings.register_file)
        self.register = self.published.register
        self.clock, self.zone = SystemClock(), settings.institution.zone
        self.notices = load_notices(self.register, own.notices_folder or FOLDER, self.clock, self.zone)
        secret = required(settings.institution.pseudonym_secret, "SIGNPOST_INSTITUTION__PSEUDONYM_SECRET")
        self.pseudonyms = Pseudonyms(secret)
        special = frozenset(self.register.askable) - frozenset(self.register.purpose)
        self.terms = Terms(self.zone, own.renewal_days, special)
        self.rules = DeadlineRules(
            self.zone, own.change_request_days, own.complaint_answer_days, frozenset(own.holidays)
        )
        self.engine = database.engine(own.database_url)
        self.keys = Keys.of_file(own.signing_key_file)

    def _make_use_cases(self) -> None:
        engine, clock, own = self.engine, self.clock, self.settings.consent
        self.relay = OutboxRelay(SERVICE, outbox, engine, self.settings.kafka, self.metrics.outbox)
        self.consents = Consents(engine, clock, self.terms, self.metrics, self._committed)
        schedule = Schedule(self.zone, own.renewal_days, own.last_reminder_days, own.reminders_per_minute)
        self.life_cycle = LifeCycle(engine, clock, schedule, self.notices, self.consents)
        self.living = Living(self.life_cycle, self.metrics)
        self.verification = Verification(engine, PublicKeys(self.keys.public), clock)
        self.verifying = Verifying(self.verification, clock, self.metrics)
        self.propagation = Propagation(engine, clock)
        self.coverages = Coverages(engine, clock, self.zone, tuple(self.register.purpose))
        self.requests = Requests(engine, clock, self.rules)
        self.point_in_time = PointInTime(engine, self.register, self.pseudonyms, clock)

    def receipts(self) -> Receipts:
        """Makes receipts in the institution's name."""
        institution, address = self.settings.institution, self.settings.consent.public_url
        contact = institution.data_protection_contact
        return Receipts(Issuer(institution.name, contact, address, self.register, self.notices), self.keys)

    def oversight(self) -> Oversight:
        """Gathers what the officer is told."""
        return Oversight(
            self.engine,
            self.clock,
            self.verification,
            self.verifying,
            self.propagation,
            self.requests,
            self.notices,
            self.life_cycle,
        )

    def running(self) -> list[Background]:
        """What runs for as long as the service is up."""
        engine, clock, kafka, metrics = self.engine, self.clock, self.settings.kafka, self.metrics
        return [
            self.relay,
            LogReader(engine, kafka, ENROLMENTS, places.take, metrics),
            LogReader(engine, kafka, CONSENT_RECEIPTS, self._hear, metrics),
            AskingAgain(engine, clock, metrics, self.relay.wake),
            Tabulating(self.coverages),
            RequestWatch(self.requests, metrics),
            self.living,
            Anchoring(engine, self.keys, clock, metrics),
            self.verifying,
        ]

    def _committed(self) -> None:
        self.relay.wake()
        self.living.wake()

    def _hear(self, transaction: Connection, records: Sequence[Record]) -> None:
        """What receipts do: they are noted and measured."""
        for consumer, seconds in propagation.take(transaction, records):
            self.metrics.applied.labels(consumer).observe(seconds)
