"""Start the demo's processes, wait until they answer, and hand them over to the supervisor."""

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

START_TIMEOUT = 30.0  # seconds
# Of Linux's prctl: the signal that a process gets when its parent has ended, whatever ended it.
_PR_SET_PDEATHSIG = 1
# Loaded before a fork: the child may not load anything.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class StartError(Exception):
    """The demo could not start; the message is a sentence for the user."""


@dataclass(slots=True)
class ProcessGroup:
    """The child processes started so far, by name."""

    environment: Mapping[str, str]
    folder: Path
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], *, stdin: bytes = b"") -> None:
        # In a session of its own, so that Ctrl-C reaches only the supervisor, which then stops the children in order.
        child = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, *command],
            env=dict(self.environment),
            cwd=self.folder,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
            # The demo has one thread.
            preexec_fn=_end_with_parent,  # noqa: PLW1509
        )
        if stdin and child.stdin is not None:
            child.stdin.write(stdin)
            child.stdin.close()
        self.children[name] = child

    def wait_for(self, name: str, url: str) -> None:
        """Return when `url` answers 200. Raises StartError when the process ends or takes too long."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self.children[name].poll() is not None:
                raise StartError(f"The {name} ended while it was starting. See its output above.")
            if _is_ready(url):
                return
            time.sleep(0.02)
        raise StartError(f"The {name} did not answer within {START_TIMEOUT:.0f} seconds.")

    def stop(self) -> None:
        for child in self.children.values():
            child.terminate()
        for child in self.children.values():
            child.wait()

    def hand_over_to_supervisor(self) -> None:
        """Replace this process with the supervisor, a small one without Django that stops the children when it ends."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.chdir(self.folder)
        pids = {name: child.pid for name, child in self.children.items()}
        os.execve(  # noqa: S606 - our own module
            sys.executable,
            [sys.executable, "-S", "-m", "reviewapp.demo.supervisor", json.dumps(pids)],
            dict(self.environment),
        )


def _end_with_parent() -> None:
    """In a child on Linux: end it when the demo is killed and so cannot stop it."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def lock_data_dir(folder: Path) -> None:
    """Lock the data folder until the demo ends. Raises StartError when it is not writable or another demo uses it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock_file = os.open(folder / "demo.held", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StartError(
            f"Could not write to {folder} ({error.strerror}). Choose another folder, for example "
            "DATA_DIR=./data make demo."
        ) from None
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise StartError(
            f"Another demo is using the data in {folder}. Stop it, or choose another folder, for example "
            "DATA_DIR=./data make demo."
        ) from None
    # Stays open, and locked, until the supervisor ends: this process becomes the supervisor.
    os.set_inheritable(lock_file, True)


def check_port_free(port: int, variable: str) -> None:
    """Raises StartError when another program listens on the port; `variable` sets the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise StartError(
                f"Port {port} is in use by another program. Stop it, or choose another port, for example "
                f"{variable}={port + 1} make demo."
            ) from None


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own loopback address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
