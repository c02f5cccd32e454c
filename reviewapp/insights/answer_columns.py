"""The columns that a table has for the answers to a queue's criteria, those of older rubric versions included."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reviewapp.lib import csv_cells
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric.answer_values import format_answer
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.queues.rubric.versions import criteria_by_version

LIST_KINDS = ("choices", "tags")


@dataclass(slots=True)
class _Key:
    """What was ever asked under one key: the kinds, and the options of those with several answers, newest first."""

    kinds: set[str] = field(default_factory=set)
    options: dict[str, None] = field(default_factory=dict)


class AnswerColumns:
    """Columns in the order of the criteria. With `is_split`, each option of several choices has one: `yes` or `no`.

    Otherwise, and for tags that reviewers make up, several answers are a JSON list in one cell, because an option may
    contain any sign that could separate them.
    """

    def __init__(self, criteria: Iterable[Criterion], *, is_split: bool) -> None:
        self._keys: dict[str, _Key] = {}
        for criterion in criteria:
            key = self._keys.setdefault(criterion.key, _Key())
            key.kinds.add(criterion.kind)
            if is_split and criterion.kind in LIST_KINDS:
                key.options |= dict.fromkeys(option.value for option in criterion.options)
        self.names = [name for key, asked in self._keys.items() for name in _list_names(key, asked)]

    def format_cells(self, answers: Mapping[str, Any]) -> list[str]:
        """The cells of one review's answers by key; no cell can act as a formula."""
        return [cell for key, asked in self._keys.items() for cell in _format_cells(asked, answers.get(key))]


def load_criteria(queue: Queue) -> list[Criterion]:
    """The criteria of all versions of the queue's rubric, the newest version first."""
    versions = {queue.rubric_version, *queue.rubrics.values_list("version", flat=True)}
    by_version = criteria_by_version([queue], versions)
    newest_first = sorted(by_version, key=lambda pair: pair[1], reverse=True)
    return [criterion for pair in newest_first for criterion in by_version[pair]]


def format_choices(values: Sequence[Any]) -> str:
    """Several answers in one cell: a JSON list."""
    return json.dumps(values, ensure_ascii=False)


def _list_names(key: str, asked: _Key) -> list[str]:
    names = [f"answer.{key}"] if _has_one_cell(asked) else []
    names += [csv_cells.escape_formula(f"answer.{key}[{option}]") for option in asked.options]
    return names + ([f"answer.{key}_step", f"answer.{key}_quote"] if "first_error" in asked.kinds else [])


def _has_one_cell(asked: _Key) -> bool:
    """Whether some answer is a cell of its own: every kind but a place, and options that are split."""
    return bool(asked.kinds - {"first_error"} - (set(LIST_KINDS) if asked.options else set()))


def _format_cells(asked: _Key, value: Any) -> list[str]:
    is_split = isinstance(value, list) and bool(asked.options) and asked.options.keys() >= set(value)
    is_place = isinstance(value, dict) and "at" in value
    cells = [""] if _has_one_cell(asked) else []
    if cells and not is_split and not is_place:
        cells = [format_cell(value)]
    cells += [("yes" if option in value else "no") if is_split else "" for option in asked.options]
    if "first_error" in asked.kinds:
        place = (value["step"], value["quote"]) if is_place else ("", "")
        cells += map(csv_cells.escape_formula, place)
    return cells


def format_cell(value: Any) -> str:
    """One answer in one cell; a list as JSON."""
    if isinstance(value, list):
        return format_choices(value)
    text = format_answer(value)
    return text if isinstance(value, (int, float)) else csv_cells.escape_formula(text)
