"""`python -m services.cli`, the same as `signpost`."""

from services.cli import main

main()
