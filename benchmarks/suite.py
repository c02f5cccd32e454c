"""`python -m benchmarks all`: run benchmarks one after the other, print one table, and compare with the last record."""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks import machine, records
from benchmarks.environment import ROOT
from benchmarks.records import Record, Row


def run_all(names: Sequence[str], database: str | None, *, as_json: bool, is_recorded: bool) -> int:
    """Run the benchmarks, each in a process of its own. Returns 1 if one of them failed; the others run all the same.

    `is_recorded` keeps the figures in recorded.json, for those benchmarks that were run.
    """
    recorded = records.load()
    runs: dict[str, Record] = {}
    for name in names:
        sys.stderr.write(f"{name} …\n")
        if (run := _run(name, database)) is not None:
            runs[name] = run
            if is_recorded:
                # After each: an interrupted run keeps what it has.
                records.save(recorded | runs)
    rows = [row for name, run in runs.items() for row in records.compare(name, run, recorded.get(name))]
    sys.stdout.write(json.dumps(runs) + "\n" if as_json else format_table(rows, machine.describe()))
    return 0 if len(runs) == len(names) else 1


def format_table(rows: Sequence[Row], speed: dict[str, object]) -> str:
    """The rows as a table for a terminal, the machine's speed above it."""
    lines = [f"fixed loop {speed['loop_ms']} ms, {speed['cores']} cores, load {speed['load']}", ""]
    lines.append(f"{'benchmark':<16} {'figure':<34} {'now':>14} {'recorded':>14} {'ratio':>7} {'equal speed':>12}")
    for row in rows:
        cells = (_number(row.value), _number(row.recorded), _ratio(row.ratio), _ratio(row.at_equal_speed))
        lines.append(f"{row.name:<16} {row.figure:<34} {cells[0]:>14} {cells[1]:>14} {cells[2]:>7} {cells[3]:>12}")
    return "\n".join(lines) + "\n"


def _run(name: str, database: str | None) -> Record | None:
    """Run one benchmark. Returns its record, None if it failed; its error is on the terminal."""
    arguments = [sys.executable, "-m", "benchmarks", name, "--json", *([f"--database={database}"] if database else [])]
    speed = machine.describe()
    process = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if process.returncode:
        sys.stderr.write(f"{name} failed with {process.returncode}.\n")
        return None
    result = json.loads(process.stdout.strip().splitlines()[-1])
    figures = dict(records.find_figures(result))
    return {"at": f"{datetime.now(UTC):%Y-%m-%d}", "machine": speed, "figures": figures}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
