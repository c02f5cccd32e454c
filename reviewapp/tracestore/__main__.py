"""`python -m reviewapp.tracestore`: the store in a slim interpreter of its own."""

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

os.environ["DJANGO_SETTINGS_MODULE"] = "reviewapp.tracestore.settings"

from reviewapp.tracestore import projects, schema, server, settings


class Unusable(ValueError):
    """What was given cannot be used; the message is a sentence for a person."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; exit code 1 with a sentence when that cannot begin."""
    options = _options(arguments)
    # Traces may hold what nobody else on this machine should read.
    os.umask(0o077)
    settings.DATABASE_FILE = options.database
    settings.APPLY_DELAY_MS = options.apply_delay
    try:
        options.database.parent.mkdir(parents=True, exist_ok=True)
        listener = server.listen(options.host, options.port)
        _provide_keys(from_stdin=options.keys_stdin, as_json=options.json)
    except (server.PortTaken, Unusable, projects.KeyTaken, schema.NewerFile) as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, sqlite3.Error) as error:
        print(f"The trace store cannot use {options.database}: {error}. Give another --database.", file=sys.stderr)
        return 1
    url = _url(*listener.getsockname()[:2])
    server.serve(listener, lambda: print(f"The trace store listens on {url}", file=sys.stderr, flush=True))
    return 0


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reviewapp.tracestore", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--database", type=Path, required=True, help="the SQLite file; it is made if it is missing")
    parser.add_argument("--apply-delay", type=int, default=500, metavar="MS", help="before a patch shows")
    parser.add_argument("--keys-stdin", action="store_true", help="read a project and its keys as one JSON line")
    parser.add_argument("--json", action="store_true", help="print new keys as one JSON line")
    return parser.parse_args(arguments)


def _provide_keys(*, from_stdin: bool, as_json: bool) -> None:
    if from_stdin:
        projects.ensure(_read_credentials(sys.stdin.readline()))
    elif projects.is_empty():
        credentials = projects.new()
        projects.ensure(credentials)
        _tell(credentials, as_json=as_json)


def _read_credentials(line: str) -> projects.Credentials:
    try:
        given = json.loads(line)
        project_id, full_key, ingest_key = (given[name] for name in ("project_id", "full_key", "ingest_key"))
        if not all(isinstance(text, str) and text for text in (project_id, full_key, ingest_key)):
            raise TypeError
        return projects.Credentials(str(UUID(project_id)), full_key, ingest_key)
    except (ValueError, TypeError, KeyError):
        # The line holds keys: it is not repeated.
        raise Unusable(
            "Standard input did not hold one JSON line with project_id (a UUID), full_key and ingest_key."
            " Nothing was changed."
        ) from None


def _tell(credentials: projects.Credentials, *, as_json: bool) -> None:
    told = {
        "project_id": credentials.project_id,
        "full_key": credentials.full_key,
        "ingest_key": credentials.ingest_key,
    }
    if as_json:
        print(json.dumps(told), flush=True)
        return
    print("A project was made. Its keys are shown this once:")
    for name, value in told.items():
        print(f"  {name.replace('_', ' '):<11} {value}")
    sys.stdout.flush()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # A thread may still be at a long query. It is not waited for: all that was acknowledged is on disk.
    os._exit(code)
