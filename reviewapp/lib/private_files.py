"""Files that only their owner can read: new ones from the start, older ones after `restrict`."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
_OTHERS = 0o077


def restrict_umask() -> None:
    """Create every file of this process and its children for the owner only, whatever the umask was."""
    os.umask(_OTHERS)


def create_folder(path: Path) -> None:
    """Create a folder that only the owner can enter. An existing one keeps its mode. Raises OSError."""
    path.mkdir(FOLDER_MODE, parents=True, exist_ok=True)


def find_open_paths(folder: Path, *, excluded: Path) -> list[Path]:
    """Return the folder and what is in it, as far as others may read, write or enter it, without `excluded`."""
    return [path for path in _walk(folder, excluded) if path.lstat().st_mode & _OTHERS]


def restrict(paths: Iterable[Path]) -> None:
    """Take every right from others. Raises OSError."""
    for path in paths:
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)


def _walk(folder: Path, excluded: Path) -> Iterator[Path]:
    yield folder
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(parent, name) != excluded]
        # A link has no mode of its own.
        yield from (path for name in (*folders, *files) if not (path := Path(parent, name)).is_symlink())
