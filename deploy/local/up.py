"""Everything on this machine: the broker, the services, a sign-in, a mail sink, a demo university and its term.

What is there is continued with; what is started is stopped again, however the run ends. Should the run itself be
killed, the next one finds what is left of it and ends that first.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console
from rich.text import Text

from deploy.demo import commands
from deploy.demo.events import SOURCES, VLE, Span
from deploy.demo.session import Target
from deploy.demo.stack import Replays, Stack, system
from deploy.demo.university import Demo
from deploy.local import environment, own_register, summary
from deploy.local.ground import WatchedBroker, cluster_of, moved_where_taken, wanted_ports
from deploy.local.kafka.broker import Broker
from deploy.local.machine.folder_lock import FolderLock
from deploy.local.machine.interrupts import Interrupts, StopAsked
from deploy.local.machine.processes import Child, Supervisor, Watched, end_left_behind, stop_all
from deploy.local.readiness import wait_caught_up, wait_ready
from deploy.local.state import Ports, RunFile, Secrets, StateFolder
from deploy.local.status import ask
from services.ingest.adapters.sources import Scope, add_source
from services.kernel.errors import ConfigurationError, SignpostError
from services.kernel.kafka import provision
from services.kernel.settings import Settings, load_settings
from services.kernel.topics import ALL_TOPICS

_STUDENTS_A_TUTOR = 25
_WIDTH = 120  # where there is no terminal to ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; None is "as last time", and the usual the first time.

    Attributes:
        term: whether to replay the simulated term.
        bootstrap: of a broker that runs; None starts one.
        kafka_home: of an installation to start it from; None fetches one.
        cache: keeps what was downloaded.
    """

    state: Path
    cache: Path
    students: int | None = None
    seed: int | None = None
    term: bool = True
    bootstrap: str | None = None
    kafka_home: Path | None = None
    port_base: int | None = None
    clock: Literal["replay", "live"] = "replay"


def up(options: Options) -> None:
    """Run until somebody asks to stop.

    Raises:
        SignpostError: something cannot be had, is in use or does not start; what was started is stopped again.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    with Interrupts() as interrupts:
        try:
            _Run(options, console, interrupts).until_asked_to_stop()
        except (StopAsked, SignpostError):
            if not interrupts.asked:  # else Ctrl-C has reached a tool of ours, too, and that is what failed
                raise
            console.print("All is stopped. `signpost up` continues with what is there.")


class _Run:
    """One run, from the lock on its folder to the last process stopped."""

    def __init__(self, options: Options, console: Console, interrupts: Interrupts) -> None:
        self._options, self._console, self._interrupts = options, console, interrupts
        self._settings = load_settings()
        self._folder = StateFolder(options.state)
        self._watched: list[Watched] = []
        self._runs = False

    def until_asked_to_stop(self) -> None:
        self._folder.make()
        with ExitStack() as started:
            started.callback(FolderLock(self._folder.path).release)
            try:
                self._start_all(started)
                self._interrupts.wait()
            finally:
                self._interrupts.ignore()
                if self._runs:
                    self._say("Stopping …")

    def _start_all(self, started: ExitStack) -> None:
        end_left_behind(self._folder.pids, self._say)
        demo = self._demo()
        run = self._ground(started)
        stack = self._introduce(run, demo)
        self._services(run, started)
        if self._options.clock == "replay":
            self._play(Target(self._with(run), stack, self._folder.replays, self._console), demo)
        self._catch_up(run)
        summary.show(self._console, run, self._folder, ask(run.services))

    def _demo(self) -> Demo:
        """The demo university of this folder."""
        asked, known = self._options, self._folder.demo()
        usual = known or Demo()
        students, seed = asked.students or usual.students, usual.seed if asked.seed is None else asked.seed
        if known and (students, seed) != (known.students, known.seed):
            raise ConfigurationError(
                f"{self._folder.path} holds a university of {known.students} students, made from seed {known.seed}.\n"
                "Leave out --students and --seed to continue with it, name another folder with --state, or begin anew"
                " with `make clean`."
            )
        demo = known or replace(usual, students=students, seed=seed, tutors=max(2, students // _STUDENTS_A_TUTOR))
        self._folder.save_demo(demo)
        return demo

    def _ground(self, started: ExitStack) -> RunFile:
        """Have a broker with its topics, and ports for everything."""
        before = self._folder.run()
        ports = wanted_ports(self._options.port_base, before.ports if before else None)
        bootstrap = self._options.bootstrap
        if bootstrap is None:
            broker = self._start_broker(ports, started)
            bootstrap = broker.bootstrap
            ports = msgspec.structs.replace(ports, broker=broker.port, controller=broker.controller_port)
        cluster = cluster_of(bootstrap)
        if before and before.cluster != cluster:
            raise ConfigurationError(
                f"What {self._folder.path} holds belongs to another Kafka cluster ({before.cluster}, which was at"
                f" {before.bootstrap}) than the one at {bootstrap}.\nUse that one, name another folder with --state, or"
                " begin anew with `make clean`."
            )
        ports = moved_where_taken(ports, self._say)
        run = RunFile(
            bootstrap=bootstrap,
            cluster=cluster,
            clock=self._options.clock,
            services=environment.addresses(ports),
            mail=f"http://127.0.0.1:{ports.mail}",
            ports=ports,
            identity=f"http://127.0.0.1:{ports.identity}",
        )
        made = provision(self._with(run).kafka)
        if before is None and len(made) < len(ALL_TOPICS):
            self._say(
                "This broker already has topics of Signpost: what another run left there is taken into this one.\n"
                "To keep apart from it, set SIGNPOST_KAFKA__NAMESPACE to a word of your own, such as `mine-`."
            )
        self._folder.save_run(run)
        return run

    def _start_broker(self, ports: Ports, started: ExitStack) -> Broker:
        if self._options.kafka_home:
            os.environ["KAFKA_HOME"] = str(self._options.kafka_home.resolve())
        broker = Broker(
            self._folder.path / "kafka",
            self._options.cache.resolve() / "kafka",
            ports.broker,
            ports.controller,
            say=self._say,
        )
        started.callback(broker.stop)
        self._runs = True
        with self._step("Starting Kafka", lambda: f"Kafka answers at {broker.bootstrap}"):
            broker.start()
        self._watched.append(WatchedBroker(broker))
        return broker

    def _introduce(self, run: RunFile, demo: Demo) -> Stack:
        """Write down what the services and a replay must know of each other."""
        folder, secrets = self._folder, self._folder.secrets()
        before = Stack.load(folder.stack) if folder.sources.exists() and folder.stack.exists() else None
        folder.people.write_bytes(msgspec.json.encode(commands.sign_in_people(demo)))
        folder.save_clients(environment.clients(run, secrets))
        keys = {VLE: before.source_key} | before.further_keys if before else {}
        for kind in SOURCES:
            if kind not in keys:
                scopes: tuple[Scope, ...] = ("events", "clock") if kind == VLE else ("events",)
                keys[kind] = add_source(folder.sources, name=system(kind), source=kind, scopes=scopes)
        stack = _stack(run, secrets, keys)
        stack.save(folder.stack)
        if run.clock == "replay":
            own_register.write(folder.register, self._span(demo))
        return stack

    def _span(self, demo: Demo) -> Span:
        """When the demo's term is, or will be unless the broker's log has passed it."""
        zone = self._settings.institution.zone
        known = Replays(self._folder.replays).get(demo.term)
        today = dt.datetime.now(zone).date()
        return Span(known.first_day if known else today - dt.timedelta(days=demo.days), demo.days, zone)

    def _services(self, run: RunFile, started: ExitStack) -> None:
        """Start the sign-in, the mail sink and the services, and from then on keep them running."""
        logs, pids = self._folder.logs, self._folder.pids
        around = [environment.identity(self._folder, run), environment.mail_sink(self._folder, run)]
        beside = [Child(program, logs, pids) for program in around]
        services = [Child(p, logs, pids) for p in environment.services(self._folder, run, self._folder.secrets())]
        started.callback(stop_all, beside, self._say)
        started.callback(stop_all, services, self._say)
        self._runs = True
        for child in (*beside, *services):
            child.start()
        with self._step("Starting the services", lambda: "The services are ready") as tell:
            wait_ready([*beside, *services], tell)
        supervisor = Supervisor([*self._watched, *beside, *services], self._say)
        started.callback(supervisor.stop)
        supervisor.start()

    def _play(self, target: Target, demo: Demo) -> None:
        if not self._options.term:
            commands.seed(target, demo)
        elif commands.simulate_term(target, demo, again=False) is None:
            self._say("The term was replayed before: nothing to do.")

    def _catch_up(self, run: RunFile) -> None:
        with self._step("Catching up", lambda: "Indicators, cases and mail are up to date") as tell:
            if not wait_caught_up(run.services, tell):
                self._say("Something does not move on; `signpost status` and the logs say more.")

    @contextmanager
    def _step(self, title: str, done: Callable[[], str]) -> Iterator[Callable[[str], None]]:
        """Show that something is under way, what of it is left, and at its end how long it took."""
        began = time.monotonic()
        with self._console.status(f"{title} …") as status:
            yield lambda left: status.update(Text(f"{title} … {left}", no_wrap=True, overflow="ellipsis"))
        self._say(f"{done()} ({time.monotonic() - began:.1f} s)")

    def _with(self, run: RunFile) -> Settings:
        kafka = self._settings.kafka.model_copy(update={"bootstrap": run.bootstrap})
        return self._settings.model_copy(update={"kafka": kafka, "register_file": environment.register(self._folder)})

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


def _stack(run: RunFile, secrets: Secrets, keys: Mapping[str, str]) -> Stack:
    return Stack(
        **run.services,
        source_key=keys[VLE],
        further_keys={kind: key for kind, key in keys.items() if kind != VLE},
        registrar_token=secrets.registrar_token,
        directory_token=secrets.directory_token,
    )
