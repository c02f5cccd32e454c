"""The last recorded run of each benchmark, and how another run compares with it."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("recorded.json")
# What a benchmark says about itself besides its figures.
WORDS = ("name", "work", "spread")

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of a benchmark now and when it was recorded; `ratio` is now by recorded, None if there is none.

    `at_equal_speed` is the ratio of a time or a rate as if both machines had run the fixed loop equally fast.
    """

    name: str
    figure: str
    value: float
    recorded: float | None
    ratio: float | None
    at_equal_speed: float | None


def load() -> dict[str, Record]:
    """Each benchmark's record: `at` (a date), `machine` and `figures`."""
    records: dict[str, Record] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return records


def save(records: dict[str, Record]) -> None:
    FILE.write_text(json.dumps(records, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def find_figures(result: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the name and value of each number of a benchmark's result, those inside others with dots between."""
    for name, value in result.items():
        if not prefix and name in WORDS:
            continue
        if isinstance(value, dict):
            yield from find_figures(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield f"{prefix}{name}", value


def compare(name: str, run: Record, recorded: Record | None) -> list[Row]:
    """The figures of a run beside those that were recorded."""
    before = recorded["figures"] if recorded else {}
    speed = recorded["machine"]["loop_ms"] / run["machine"]["loop_ms"] if recorded else 1.0
    rows = []
    for figure, value in run["figures"].items():
        old = before.get(figure)
        ratio = value / old if old else None
        rows.append(Row(name, figure, value, old, ratio, _correct(figure, ratio, speed)))
    return rows


def _correct(figure: str, ratio: float | None, speed: float) -> float | None:
    """A time is shorter and a rate higher on a faster machine; sizes and counts are the same."""
    last = figure.rpartition(".")[2]
    if ratio is None:
        return None
    if last.endswith("per_s"):
        return ratio / speed
    return ratio * speed if last.endswith(("_ms", "_s", "_us")) else ratio
