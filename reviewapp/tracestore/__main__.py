"""`python -m reviewapp.tracestore`: run the trace store as a process of its own, without the review app in memory."""

import argparse
import importlib.util
import json
import logging
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

os.environ["DJANGO_SETTINGS_MODULE"] = "reviewapp.tracestore.settings"

from reviewapp.tracestore import projects, schema, server, settings
from reviewapp.tracestore.listener import ListenError, listen


class InvalidCredentialsError(ValueError):
    """Standard input does not hold usable credentials; the message is shown to the operator."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped by a signal. Returns the exit code: 1, with a message on stderr, if it cannot start."""
    options = _parse_options(arguments)
    if problem := _check_engine():
        print(problem, file=sys.stderr)
        return 1
    # Traces may be confidential: keep other users of this machine out of the file.
    os.umask(0o077)
    settings.DATABASE_FILE = options.database
    settings.APPLY_DELAY_MS = options.apply_delay
    try:
        options.database.parent.mkdir(parents=True, exist_ok=True)
        listener = listen(options.host, options.port)
        _set_up_keys(from_stdin=options.keys_stdin, as_json=options.json)
    except (
        ListenError,
        InvalidCredentialsError,
        projects.KeyConflictError,
        schema.NewerSchemaError,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, sqlite3.Error) as error:
        print(f"The trace store cannot use {options.database}: {error}. Choose another --database.", file=sys.stderr)
        return 1
    url = _base_url(*listener.getsockname()[:2])
    server.serve(listener, lambda: print(f"The trace store listens on {url}", file=sys.stderr, flush=True))
    return 0


def _check_engine() -> str:
    """Returns why the engine for queries cannot be used; empty if it can."""
    if settings.SQL_ENGINE not in ("sqlite", "clickhouse"):
        return f"STORE_SQL is “{settings.SQL_ENGINE}”. Use sqlite, or clickhouse."
    if settings.SQL_ENGINE == "clickhouse" and importlib.util.find_spec("chdb") is None:
        return "STORE_SQL=clickhouse needs the embedded ClickHouse. Install the extra “clickhouse”, or use sqlite."
    return ""


def _base_url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reviewapp.tracestore", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 picks any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--database", type=Path, required=True, help="SQLite file; created if missing")
    parser.add_argument("--apply-delay", type=int, default=500, metavar="MS", help="delay before a patch is visible")
    parser.add_argument("--keys-stdin", action="store_true", help="read a project and its keys as one JSON line")
    parser.add_argument("--json", action="store_true", help="print new keys as one JSON line")
    return parser.parse_args(arguments)


def _set_up_keys(*, from_stdin: bool, as_json: bool) -> None:
    if from_stdin:
        projects.ensure(_read_credentials(sys.stdin.readline()))
    elif projects.is_empty():
        credentials = projects.generate_credentials()
        projects.ensure(credentials)
        _print_credentials(credentials, as_json=as_json)


def _read_credentials(line: str) -> projects.Credentials:
    try:
        fields = json.loads(line)
        project_id, full_key, ingest_key = (fields[name] for name in ("project_id", "full_key", "ingest_key"))
        if not all(isinstance(text, str) and text for text in (project_id, full_key, ingest_key)):
            raise TypeError
        return projects.Credentials(str(UUID(project_id)), full_key, ingest_key)
    except (ValueError, TypeError, KeyError):
        # Do not echo the line: it holds keys.
        raise InvalidCredentialsError(
            "Standard input did not contain one JSON line with project_id (a UUID), full_key and ingest_key."
            " Nothing was changed."
        ) from None


def _print_credentials(credentials: projects.Credentials, *, as_json: bool) -> None:
    fields = {
        "project_id": credentials.project_id,
        "full_key": credentials.full_key,
        "ingest_key": credentials.ingest_key,
    }
    if as_json:
        print(json.dumps(fields), flush=True)
        return
    print("Project created. Copy its keys now: they are shown only once.")
    for name, value in fields.items():
        print(f"  {name.replace('_', ' '):<11} {value}")
    sys.stdout.flush()


if __name__ == "__main__":
    code = main()
    # Writes the counts of lines that were not written.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Do not wait for a thread that still runs a long query: every acknowledged write is on disk.
    os._exit(code)
