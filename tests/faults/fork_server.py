"""A process that preloads the product and forks its parts on request: a start takes milliseconds, not a second.

Reads lines like `{"argv": ["deliver"], "failpoints": "push.sent=kill", "clock": [3600], "log": "/path"}` from standard
input; prints `started PID` and `ended PID CODE`. `argv` is a `manage.py` command line, or one that starts with
`gunicorn`; `clock` is what `host_clock.set_host_clock` takes. When its standard input closes, it kills everything it
started.
"""

import importlib
import json
import os
import select
import signal
import sys
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - models exist only after setup
from django.urls import get_resolver  # noqa: E402
from gunicorn.app.wsgiapp import WSGIApplication  # noqa: E402

from reviewapp.laminar import addresses  # noqa: E402
from reviewapp.lib import failpoints  # noqa: E402
from tests.faults.host_clock import set_host_clock  # noqa: E402

POLL_SECONDS = 0.02


def main() -> None:
    # Preload what is slow to load and every part needs.
    importlib.import_module("reviewapp.wsgi")
    get_resolver()._populate()
    addresses._ssl_context()
    buffer, pids = b"", set()
    while True:
        if select.select([0], [], [], POLL_SECONDS)[0]:
            data = os.read(0, 65_536)
            if not data:
                break
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                pids.add(pid := _start(json.loads(line)))
                os.write(1, f"started {pid}\n".encode())
        for pid in list(pids):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                pids.remove(pid)
                os.write(1, f"ended {pid} {os.waitstatus_to_exitcode(status)}\n".encode())
    for pid in pids:
        os.killpg(pid, signal.SIGKILL)


def _start(command: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        # A process group of its own, so that a web app can be killed with all its workers.
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
        os.dup2(1, 2)
        code = 1
        try:
            failpoints.ACTIVE.update(failpoints.parse(command["failpoints"]))
            if command["clock"]:
                set_host_clock(command["clock"])
            _run(command["argv"])
            code = 0
        finally:
            os._exit(code)
    return pid


def _run(argv: list[str]) -> None:
    if argv[0] == "gunicorn":
        sys.argv = argv
        WSGIApplication("%(prog)s").run()
    else:
        call_command(*argv)


if __name__ == "__main__":
    main()
