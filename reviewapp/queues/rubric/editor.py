"""The form a lead changes a rubric in: the score's question and scale, the guideline, a row for each criterion.

Rows are added, moved and removed by the form's own buttons, each a way to the server and back with all that was typed.
"""

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.text import slugify

from reviewapp.lib.numbers import parse_int
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import criteria, versions
from reviewapp.queues.rubric.criteria import KINDS, MAX_CRITERIA, Criterion, Option
from reviewapp.queues.rubric.scale import as_number

_WITH_OPTIONS = ("choice", "choices", "yes_no", "tags")
_ACT = re.compile(r"(add|remove|up|down|preset)(?:-(.+))?")


class ScaleForm(forms.ModelForm):  # type: ignore[type-arg]
    """What is asked of every queue: its question, its scale, and how to judge."""

    class Meta:
        model = Queue
        fields = ["question", "score_min", "score_max", "score_step", "guideline"]


class CriterionForm(forms.Form):
    """One criterion. What its kind has no use for is left out."""

    label = forms.CharField(max_length=120)
    key = forms.CharField(required=False, max_length=60, validators=[criteria.KEY])
    kind = forms.ChoiceField(choices=list(KINDS.items()))
    help = forms.CharField(required=False, max_length=400)
    options = forms.CharField(required=False, max_length=6_000)
    low = forms.DecimalField(required=False, max_digits=12, decimal_places=4)
    high = forms.DecimalField(required=False, max_digits=12, decimal_places=4)
    step = forms.DecimalField(required=False, max_digits=12, decimal_places=4)
    is_required = forms.ChoiceField(required=False, choices=[("", "may be left out"), ("yes", "must be answered")])

    @property
    def faults(self) -> list[str]:
        """What is wrong with it, each as a sentence that names its field."""
        return [
            str(message) if name == "__all__" else f"{name.replace('_', ' ').capitalize()}: {message}"
            for name, messages in self.errors.items()
            for message in messages
        ]

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            self.criterion = self._made()
            criteria.validate_criteria([self.criterion], {})
        return self.cleaned_data

    def _made(self) -> Criterion:
        said = self.cleaned_data
        kind, key = said["kind"], said["key"] or slugify(said["label"]).replace("-", "_")[:40]
        if not key:
            raise ValidationError("Give it a key of letters and digits: its label makes none.")
        is_number = kind == "number"
        low, high, step = (said[name] if is_number else None for name in ("low", "high", "step"))
        options = _options(said["options"]) if kind in _WITH_OPTIONS else ()
        return Criterion(
            key, said["label"], kind, said["help"], options, low, high, step, is_required=said["is_required"] == "yes"
        )


# The names of a row's fields: the form sends a list of each.
ROW_FIELDS = tuple(CriterionForm.base_fields)


@dataclass(frozen=True)
class Editor:
    """A rubric being changed: the queue as it is stored, what was typed, and the version it was opened on."""

    queue: Queue
    scale: dict[str, str]
    rows: tuple[dict[str, str], ...]
    version: int

    @property
    def can_add(self) -> bool:
        return len(self.rows) < MAX_CRITERIA

    @property
    def words(self) -> tuple[Option, ...]:
        """What was typed of the scores' meanings, numbers as the form spells them."""
        options = _options(self.scale["score_words"])
        return tuple(Option(as_number(option.value), option.help) for option in options)

    @property
    def criterion_forms(self) -> list[CriterionForm]:
        """A form for each row."""
        return [CriterionForm(row) for row in self.rows]

    def wanted(self) -> tuple[Queue, list[str]]:
        """The queue as it would ask, and what stands against that, in sentences."""
        rows = self.criterion_forms
        faults = [f"Criterion {number}: {said}" for number, row in enumerate(rows, 1) for said in row.faults]
        queue = copy(self.queue)
        queue.criteria = criteria.dump_criteria([row.criterion for row in rows if row.is_valid()], self.words)
        form = ScaleForm(self.scale, instance=queue)
        labels = {"score_min": "Lowest score: ", "score_max": "Highest score: ", "score_step": "Step: "}
        said = [f"{labels.get(name, '')}{message}" for name, messages in form.errors.items() for message in messages]
        return queue, said + faults

    def preview_queue(self) -> Queue:
        """The queue as far as what was typed can be asked already."""
        queue, faults = self.wanted()
        if not faults:
            return queue
        queue = copy(self.queue)
        queue.question, queue.guideline, queue.criteria = self.scale["question"], self.scale["guideline"], "[]"
        form = ScaleForm(self.scale, instance=copy(queue))
        if form.is_valid():
            queue = form.instance
        sound = {row.criterion.key: row.criterion for row in self.criterion_forms if row.is_valid()}
        queue.criteria = criteria.dump_criteria(sound.values(), self.words)
        return queue

    def after(self, act: str) -> "Editor":
        """The editor after one of its buttons; as it is after a button it does not have."""
        found = _ACT.fullmatch(act)
        verb, argument = (found[1], found[2] or "") if found else ("", "")
        rows = list(self.rows)
        place = parse_int(argument, max_value=len(rows) - 1)
        if verb == "add" and self.can_add:
            kind = argument if argument in KINDS else "choice"
            rows.append(dict.fromkeys(ROW_FIELDS, "") | {"kind": kind})
        elif verb == "preset" and argument in versions.PRESETS:
            return replace(self, scale=self.scale | _preset(argument, self.scale["question"]))
        elif verb == "remove" and place is not None:
            del rows[place]
        elif verb in ("up", "down") and place is not None:
            other = max(0, place - 1) if verb == "up" else min(len(rows) - 1, place + 1)
            rows[place], rows[other] = rows[other], rows[place]
        return replace(self, rows=tuple(rows))


def open_editor(queue: Queue) -> Editor:
    """The editor on what the queue asks now."""
    numbers = {name: criteria.format_decimal(getattr(queue, name)) for name in ("score_min", "score_max", "score_step")}
    scale = {"question": queue.question, "guideline": queue.guideline, **numbers}
    scale["score_words"] = "\n".join(_line(option) for option in queue.score_words)
    return Editor(queue, scale, tuple(_row(criterion) for criterion in queue.parsed_criteria), queue.rubric_version)


def parse_editor(queue: Queue, data: QueryDict) -> Editor:
    """The editor as a browser sent it; a version that cannot be counts as an outdated one."""
    scale = {name: data.get(name, "") for name in (*ScaleForm.base_fields, "score_words")}
    columns = [data.getlist(name) for name in ROW_FIELDS]
    rows = [dict(zip(ROW_FIELDS, row, strict=True)) for row in zip(*columns, strict=False)]
    version = parse_int(data.get("version"), max_value=2**31 - 1)
    return Editor(queue, scale, tuple(rows), 0 if version is None else version)


def _row(criterion: Criterion) -> dict[str, str]:
    numbers = {name: getattr(criterion, name) for name in ("low", "high", "step")}
    return {
        "label": criterion.label, "key": criterion.key, "kind": criterion.kind, "help": criterion.help,
        "options": "\n".join(_line(option) for option in criterion.options),
        **{name: "" if number is None else criteria.format_decimal(number) for name, number in numbers.items()},
        "is_required": "yes" if criterion.is_required else "",
    }  # fmt: skip


def _options(text: str) -> tuple[Option, ...]:
    """One option a line; after a colon and a blank what it means."""
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    parts = [line.partition(": ") for line in lines]
    return tuple(Option(value.strip(), meaning.strip()) for value, _, meaning in parts)


def _line(option: Option) -> str:
    return f"{option.value}: {option.help}" if option.help else option.value


def _preset(name: str, question: str) -> dict[str, str]:
    made = Queue(question=question)
    versions.use_preset(made, versions.PRESETS[name])
    numbers: list[tuple[str, Decimal]] = [
        (field, getattr(made, field)) for field in ("score_min", "score_max", "score_step")
    ]
    return {"question": made.question, **{field: criteria.format_decimal(number) for field, number in numbers}}
