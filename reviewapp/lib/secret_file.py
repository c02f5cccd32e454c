"""A secret that is generated once and stored in a file that only its owner can read."""

import os
import secrets
from pathlib import Path

from reviewapp.lib import private_files


def read_or_create(path: Path, *, size: int = 48) -> str:
    """Return the secret at `path`, generated on first use from `size` random bytes, mode 0600.

    Safe for processes that start together: the file appears complete or not at all, and only once.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    private_files.create_folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(size))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()


def read_or_create_apart(folder: Path, fallback: Path, name: str) -> str:
    """Return the secret `name` in `folder`; in `fallback` if it is there already or `folder` cannot be made."""
    if not (fallback / name).exists():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return read_or_create(folder / name)
        except OSError:
            pass
    return read_or_create(fallback / name)
