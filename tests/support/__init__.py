"""What the tests share: real servers, ways to look into them, and waiting on conditions."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
