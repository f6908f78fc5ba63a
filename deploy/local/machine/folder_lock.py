"""One run at a time in a folder."""

from __future__ import annotations

import fcntl
from pathlib import Path

from services.kernel.errors import ConfigurationError


class FolderLock:
    """Held while a process of ours uses a folder; the system lets go of it when that process ends, however."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            ConfigurationError: another process holds it.
        """
        self._file = (folder / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise ConfigurationError(
                f"{folder} is in use by another run on this machine: stop that one first (Ctrl-C where it runs)"
            ) from error

    def release(self) -> None:
        """Let another process have the folder."""
        self._file.close()
