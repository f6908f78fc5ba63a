"""An indicators worker that looks at itself: as `signpost work indicators`, but at its end it writes down what it saw.

python -m tests.bench.profiling.sampled_worker FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from services.cli import main as signpost
from tests.bench.profiling.sampling import Sampler


def main(file: Path) -> None:
    """Work until told to stop."""
    with Sampler() as sampler:
        try:
            signpost(["work", "indicators"])
        finally:
            seen = [(place.module, place.function, number) for place, number in sampler.seen.most_common()]
            file.write_bytes(msgspec.json.encode(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
