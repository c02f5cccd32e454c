"""The rubric editor: the score's question and scale, the guideline, and a row for each criterion.

Buttons of the form add, move and remove rows. Each press is a request that carries everything typed so far.
"""

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.text import slugify

from reviewapp.lib.newlines import split_lines
from reviewapp.lib.number_fields import PlainDecimalField, make_field
from reviewapp.lib.numbers import format_decimal, parse_int
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import criteria, versions
from reviewapp.queues.rubric.criteria import KINDS, MAX_CRITERIA, Criterion, Option
from reviewapp.queues.rubric.scale import normalise_number

_KINDS_WITH_OPTIONS = ("choice", "choices", "yes_no", "tags")
# A text gives its own reason, and a correction shows it.
_KINDS_WITH_REASON = ("choice", "choices", "yes_no", "number", "first_error")
_ACTION = re.compile(r"(add|remove|up|down|preset)(?:-(.+))?")


class ScaleForm(forms.ModelForm):  # type: ignore[type-arg]
    """The parts of a rubric that every queue has: the question, the scale and the guideline."""

    class Meta:
        model = Queue
        formfield_callback = make_field
        fields = ["question", "score_min", "score_max", "score_step", "guideline"]


class ScoreWordsForm(forms.Form):
    """The meanings of scores, one per line."""

    score_words = forms.CharField(required=False, max_length=6_000, label="What scores mean")


class CriterionForm(forms.Form):
    """One criterion. Fields that its kind does not use are ignored."""

    label = forms.CharField(max_length=120)
    key = forms.CharField(required=False, max_length=60, validators=[criteria.KEY])
    kind = forms.ChoiceField(choices=list(KINDS.items()))
    help = forms.CharField(required=False, max_length=400)
    options = forms.CharField(required=False, max_length=6_000)
    low = PlainDecimalField(required=False, max_digits=12, decimal_places=4)
    high = PlainDecimalField(required=False, max_digits=12, decimal_places=4)
    step = PlainDecimalField(required=False, max_digits=12, decimal_places=4)
    is_required = forms.ChoiceField(required=False, choices=[("", "optional"), ("yes", "required")])
    asks_reason = forms.ChoiceField(required=False, choices=[("", "not asked"), ("yes", "asked")])

    @property
    def error_messages(self) -> list[str]:
        """The form's errors, each prefixed by the name of its field."""
        return [
            str(message) if name == "__all__" else f"{name.replace('_', ' ').capitalize()}: {message}"
            for name, messages in self.errors.items()
            for message in messages
        ]

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            self.criterion = self._build_criterion()
            criteria.validate_criteria([self.criterion], {})
        return self.cleaned_data

    def _build_criterion(self) -> Criterion:
        data = self.cleaned_data
        kind, key = data["kind"], data["key"] or slugify(data["label"]).replace("-", "_")[:40]
        if not key:
            raise ValidationError("Enter a key of letters and digits. It could not be derived from the label.")
        is_number = kind == "number"
        low, high, step = (data[name] if is_number else None for name in ("low", "high", "step"))
        options = _parse_options(data["options"]) if kind in _KINDS_WITH_OPTIONS else ()
        return Criterion(
            key, data["label"], kind, data["help"], options, low, high, step,
            is_required=data["is_required"] == "yes",
            asks_reason=data["asks_reason"] == "yes" and kind in _KINDS_WITH_REASON,
        )  # fmt: skip


# The fields of a row. The form sends a list of values for each.
ROW_FIELDS = tuple(CriterionForm.base_fields)


@dataclass(frozen=True)
class Editor:
    """A rubric being edited: the stored queue, the typed values, and the version the editor was opened at."""

    queue: Queue
    scale: dict[str, str]
    rows: tuple[dict[str, str], ...]
    version: int
    # False if the form sent more values for some fields of its rows than for others.
    is_complete: bool = True

    @property
    def can_add(self) -> bool:
        return len(self.rows) < MAX_CRITERIA

    @property
    def score_words(self) -> tuple[Option, ...]:
        """The typed meanings of scores, with normalised numbers; none if the text is not valid."""
        form = ScoreWordsForm(self.scale)
        options = _parse_options(form.cleaned_data["score_words"]) if form.is_valid() else ()
        return tuple(Option(normalise_number(option.value), option.help) for option in options)

    @property
    def criterion_forms(self) -> list[CriterionForm]:
        """A form for each row."""
        return [CriterionForm(row) for row in self.rows]

    def build_queue(self) -> tuple[Queue, list[str]]:
        """Return a copy of the queue with the edited rubric, and the error messages."""
        rows = self.criterion_forms
        row_errors = [
            f"Criterion {number}: {message}" for number, row in enumerate(rows, 1) for message in row.error_messages
        ]
        if not self.is_complete:
            row_errors.insert(
                0, "The form has criteria without all of their fields. Check each of them and save again."
            )
        queue = copy(self.queue)
        queue.criteria = criteria.dump_criteria([row.criterion for row in rows if row.is_valid()], self.score_words)
        form = ScaleForm(self.scale, instance=queue)
        words_form = ScoreWordsForm(self.scale)
        labels = {
            "score_words": "What scores mean: ",
            "score_min": "Lowest score: ",
            "score_max": "Highest score: ",
            "score_step": "Step: ",
        }
        scale_errors = [
            f"{labels.get(name, '')}{message}"
            for name, messages in (*form.errors.items(), *words_form.errors.items())
            for message in messages
        ]
        return queue, scale_errors + row_errors

    def preview_queue(self) -> Queue:
        """Return a copy of the queue with those parts of the edited rubric that are valid."""
        queue, errors = self.build_queue()
        if not errors:
            return queue
        queue = copy(self.queue)
        queue.question, queue.guideline, queue.criteria = self.scale["question"], self.scale["guideline"], "[]"
        form = ScaleForm(self.scale, instance=copy(queue))
        if form.is_valid():
            queue = form.instance
        valid = {row.criterion.key: row.criterion for row in self.criterion_forms if row.is_valid()}
        queue.criteria = criteria.dump_criteria(valid.values(), self.score_words)
        return queue

    def apply_action(self, action: str) -> "Editor":
        """Return the editor after a press of one of its buttons; unchanged if there is no such button."""
        match = _ACTION.fullmatch(action)
        verb, argument = (match[1], match[2] or "") if match else ("", "")
        rows = list(self.rows)
        index = parse_int(argument, max_value=len(rows) - 1)
        if verb == "add" and self.can_add:
            kind = argument if argument in KINDS else "choice"
            preset = {"label": "First error", "key": "fail"} if kind == "first_error" else {}
            rows.append(dict.fromkeys(ROW_FIELDS, "") | {"kind": kind} | preset)
        elif verb == "preset" and argument in versions.PRESETS:
            return replace(self, scale=self.scale | _preset_scale(argument, self.scale["question"]))
        elif verb == "remove" and index is not None:
            del rows[index]
        elif verb in ("up", "down") and index is not None:
            other = max(0, index - 1) if verb == "up" else min(len(rows) - 1, index + 1)
            rows[index], rows[other] = rows[other], rows[index]
        return replace(self, rows=tuple(rows))


def open_editor(queue: Queue) -> Editor:
    """Open the editor with the queue's current rubric."""
    numbers = {name: format_decimal(getattr(queue, name)) for name in ("score_min", "score_max", "score_step")}
    scale = {"question": queue.question, "guideline": queue.guideline, **numbers}
    scale["score_words"] = "\n".join(_format_option(option) for option in queue.score_words)
    rows = tuple(_build_row(criterion) for criterion in queue.parsed_criteria if not criterion.reason_for)
    return Editor(queue, scale, rows, queue.rubric_version)


def parse_editor(queue: Queue, data: QueryDict) -> Editor:
    """Parse the editor from a browser's form; an invalid version counts as an outdated one."""
    scale = {name: data.get(name, "") for name in (*ScaleForm.base_fields, "score_words")}
    columns = [data.getlist(name) for name in ROW_FIELDS]
    rows = [dict(zip(ROW_FIELDS, row, strict=True)) for row in zip_longest(*columns, fillvalue="")]
    version = parse_int(data.get("version"), max_value=2**31 - 1)
    is_complete = len(set(map(len, columns))) == 1
    return Editor(queue, scale, tuple(rows), 0 if version is None else version, is_complete=is_complete)


def _build_row(criterion: Criterion) -> dict[str, str]:
    numbers = {name: getattr(criterion, name) for name in ("low", "high", "step")}
    return {
        "label": criterion.label, "key": criterion.key, "kind": criterion.kind, "help": criterion.help,
        "options": "\n".join(_format_option(option) for option in criterion.options),
        **{name: "" if number is None else format_decimal(number) for name, number in numbers.items()},
        "is_required": "yes" if criterion.is_required else "",
        "asks_reason": "yes" if criterion.asks_reason else "",
    }  # fmt: skip


def _parse_options(text: str) -> tuple[Option, ...]:
    """Parse one option per line; its meaning follows a colon and a space."""
    lines: Sequence[str] = [line.strip() for line in split_lines(text) if line.strip()]
    parts = [line.partition(": ") for line in lines]
    return tuple(Option(value.strip(), meaning.strip()) for value, _, meaning in parts)


def _format_option(option: Option) -> str:
    return f"{option.value}: {option.help}" if option.help else option.value


def _preset_scale(name: str, question: str) -> dict[str, str]:
    queue = Queue(question=question)
    versions.apply_preset(queue, versions.PRESETS[name])
    numbers: list[tuple[str, Decimal]] = [
        (field, getattr(queue, field)) for field in ("score_min", "score_max", "score_step")
    ]
    return {"question": queue.question, **{field: format_decimal(number) for field, number in numbers}}
