"""Pictures of evaluations and simulations: one look, and a file whose content depends on the figures only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from services.kernel.errors import ConfigurationError

FORMS = (".svg", ".png", ".pdf")
# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#000000")
STYLE: Any = {  # matplotlib names each of its settings in a type
    "svg.hashsalt": "signpost",  # the same figures give the same file
    "svg.fonttype": "none",  # text stays text: small, and readable to a machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def check(file: Path) -> None:
    """See whether a picture can be written there.

    Raises:
        ConfigurationError: it has no form that is known, or no folder.
    """
    if file.suffix.lower() not in FORMS:
        raise ConfigurationError(f"{file}: a plot is written as {', '.join(FORMS)}; name the file so")
    if not file.parent.is_dir():
        raise ConfigurationError(f"{file}: there is no folder {file.parent}; make it first")


def save(figure: Figure, file: Path) -> None:
    """Write the picture.

    Raises:
        ConfigurationError: it cannot be written there.
    """
    dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(file.suffix.lower(), {})
    try:
        with mpl.rc_context(STYLE):
            figure.savefig(file, metadata=dated, dpi=150)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error}") from error
