"""The command line, `signpost`: the one place that knows all parts.

Whatever takes long to import is imported by the command that needs it, so that help comes at once.
"""

from __future__ import annotations

from typing import Any

import click

from services.cli.consent import consent
from services.cli.evaluation import evaluate, simulate
from services.cli.explaining import indicators
from services.cli.local import status, up
from services.cli.running import provision, serve, work
from services.cli.terms import replay, simulate_term
from services.kernel.errors import ConfigurationError, TransientError


class _Failure(click.ClickException):
    """An error that a person can mend, in one message and without a traceback."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class _Signpost(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise _Failure(str(error), 1) from error
        except TransientError as error:
            raise _Failure(f"{error}\nTry again in a moment.", 2) from error


@click.group(cls=_Signpost, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="signpost")
def main() -> None:
    """Signpost: consent-first, real-time learner analytics.

    Try `signpost up`: it runs everything on this machine, with a demo university and a simulated term.

    Settings come from the environment (SIGNPOST_…) and from the TOML file that SIGNPOST_CONFIG names; for example
    SIGNPOST_KAFKA__BOOTSTRAP=kafka:9092 or SIGNPOST_CONSENT__DATABASE_URL=postgresql://….

    Exit codes: 0 done; 1 mend what the message says; 2 wrong usage, or something outside does not answer now.
    """


for _command in (up, serve, work, provision, consent, simulate_term, replay, evaluate, simulate, indicators, status):
    main.add_command(_command)
