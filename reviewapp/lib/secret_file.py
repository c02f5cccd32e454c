"""Secrets in files: given by the operator, or generated once and readable by their owner only."""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from reviewapp.lib import private_files


class UnreadableSecretError(ValueError):
    """A secret's file cannot be used; the message is a sentence for the operator."""


def read_setting(name: str, environment: Mapping[str, str]) -> str:
    """Return the variable `name`, or the text of the file that `name_FILE` names; empty if neither is set.

    Raises UnreadableSecretError if both are set, or if the file cannot be read, is not text, or is empty.
    """
    value, file = environment.get(name, ""), environment.get(f"{name}_FILE", "")
    if not file:
        return value
    if value:
        raise UnreadableSecretError(f"{name} and {name}_FILE are both set. Set only one of them.")
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise UnreadableSecretError(
            f"Could not read {name}_FILE {file}: {reason}. Let the user of this process read it, or name another file."
        ) from None
    if not text:
        raise UnreadableSecretError(f"{name}_FILE {file} is empty. Write the secret into it.")
    return text


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
        # Once: other nodes cannot read what this one encrypts or signs with it.
        sys.stderr.write(f"Created the secret {path}. Back it up; other nodes with this database need the same one.\n")
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
