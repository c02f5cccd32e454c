"""Start the demo's processes, wait until they answer, and hand them to the keeper."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 30.0


class StartError(Exception):
    """A process did not come up; the message is a sentence for a person."""


@dataclass(slots=True)
class ProcessGroup:
    """The child processes so far, each with its name."""

    environment: Mapping[str, str]
    folder: Path
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], *, stdin: bytes = b"") -> None:
        # A session of its own: Ctrl-C reaches the keeper alone, which then stops all in order.
        child = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, *command],
            env=dict(self.environment),
            cwd=self.folder,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
        )
        if stdin and child.stdin is not None:
            child.stdin.write(stdin)
            child.stdin.close()
        self.children[name] = child

    def wait_for(self, name: str, url: str) -> None:
        """Return when `url` answers 200. Raises CannotStart when its process ends or takes too long."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.children[name].poll() is not None:
                raise StartError(f"The {name} ended while it was starting; what it said stands above.")
            if _answers(url):
                return
            time.sleep(0.02)
        raise StartError(f"The {name} did not answer within {PATIENCE:.0f} seconds.")

    def stop(self) -> None:
        for child in self.children.values():
            child.terminate()
        for child in self.children.values():
            child.wait()

    def hand_over_to_supervisor(self) -> None:
        """Become the keeper: a small process that holds no Django, waits, and stops the children with itself."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.chdir(self.folder)
        pids = {name: child.pid for name, child in self.children.items()}
        os.execve(  # noqa: S606 - our own module
            sys.executable,
            [sys.executable, "-S", "-m", "reviewapp.demo.supervisor", json.dumps(pids)],
            dict(self.environment),
        )


def lock_data_dir(folder: Path) -> None:
    """Keep the folder for this demo as long as it runs. Raises CannotStart when it cannot be used or another has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder / "demo.held", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StartError(
            f"{folder} cannot hold the data ({error.strerror}). Name another folder, as with DATA_DIR=./data make demo."
        ) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise StartError(
            f"Another demo runs on the data in {folder}. Stop that one, or give this one a folder of its own, "
            "as with DATA_DIR=./data make demo."
        ) from None
    # Open until the keeper ends, whose process this one becomes.
    os.set_inheritable(held, True)


def check_port_free(port: int, variable: str) -> None:
    """Raises CannotStart when something else listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise StartError(
                f"Port {port} is taken by another program. Stop that one, or choose another port, "
                f"as with {variable}={port + 1} make demo."
            ) from None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
