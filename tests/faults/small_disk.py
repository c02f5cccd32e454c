"""A file system of a few megabytes, which can be filled or made read-only while programs use it."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

BLOCK = bytes(4096)


def _mount(*arguments: str) -> None:
    """Run `mount`. Skips the test where that is not possible."""
    if os.geteuid() != 0:
        pytest.skip("Only root may mount the small file system of this test.")
    process = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if process.returncode != 0:
        pytest.skip(f"The small file system of this test cannot be mounted: {process.stderr.strip()}")


@contextlib.contextmanager
def mount_small_disk(folder: Path, megabytes: int = 8) -> Iterator[Path]:
    """Mount it at a new folder, for the block."""
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def fill(folder: Path) -> Iterator[None]:
    """Use all its space for the block."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(BLOCK)
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def make_read_only(folder: Path) -> Iterator[None]:
    """Remount it read-only for the block; before, no program may have a file of it open for writing."""
    _mount("-o", "remount,ro", str(folder))
    try:
        yield
    finally:
        _mount("-o", "remount,rw", str(folder))
