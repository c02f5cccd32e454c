"""`python -m benchmarks NAME [--json] [--database URL]`: run one benchmark, or `all`, and print the figures."""

import argparse
import json
import sys
from importlib import import_module

from benchmarks.suite import run_all

NAMES = (
    "open",
    "save",
    "ingest",
    "page",
    "start",
    "install",
    "next-item",
    "reviewer",
    "delivery",
    "save-under-fire",
    "silent",
    "isolation",
    "filter",
    "mirror",
    "queries",
    "scrape",
    "agreement",
    "backup",
    "upload",
    "boards",
    "export",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=(*NAMES, "all"))
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of one line per figure")
    parser.add_argument(
        "--database", help="URL of a PostgreSQL server, for example postgres://user@host/ (default: SQLite)"
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="with all: these benchmarks")
    parser.add_argument("--record", action="store_true", help="with all: keep the figures in benchmarks/recorded.json")
    options = parser.parse_args()
    if options.name == "all":
        return run_all(options.only, options.database, as_json=options.json, is_recorded=options.record)
    figures = import_module(f"benchmarks.{options.name.replace('-', '_')}").run(options.database)
    if options.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        sys.stdout.write("".join(f"{name:>14}  {value}\n" for name, value in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
