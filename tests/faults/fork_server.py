"""A process that has the product loaded and forks parts of it when told: a start costs milliseconds, not a second.

Reads lines like `{"argv": ["deliver"], "points": "push.sent=kill", "log": "/path"}`; prints `started PID` and
`ended PID CODE`. The words are those of `manage.py`, or `gunicorn` with its own. Its end is the end of all it started.
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

LOOK = 0.02


def main() -> None:
    # What each part would load by itself, and takes long.
    importlib.import_module("reviewapp.wsgi")
    get_resolver()._populate()
    addresses._ssl_context()
    told, parts = b"", set()
    while True:
        if select.select([0], [], [], LOOK)[0]:
            read = os.read(0, 65_536)
            if not read:
                break
            *lines, told = (told + read).split(b"\n")
            for line in lines:
                parts.add(pid := _start(json.loads(line)))
                os.write(1, f"started {pid}\n".encode())
        for pid in list(parts):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                parts.remove(pid)
                os.write(1, f"ended {pid} {os.waitstatus_to_exitcode(status)}\n".encode())
    for pid in parts:
        os.killpg(pid, signal.SIGKILL)


def _start(told: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        # A group of its own: a web app is killed with all its workers.
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
        os.dup2(1, 2)
        code = 1
        try:
            failpoints.ACTIVE.update(failpoints.parse(told["points"]))
            _run(told["argv"])
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
