"""Forms for leads: a queue's settings, and traces to add."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator

from reviewapp.lib.local_time import parse_due_time
from reviewapp.lib.number_fields import PlainIntegerField, make_field
from reviewapp.queues.models import PushPolicy, PushTarget, Queue, Unit
from reviewapp.queues.rubric.versions import PRESETS
from reviewapp.queues.uploads.columns import FIELD_LABELS, MAX_PRIORITY, Layout

SEVERAL_REVIEWERS = ("reviewers_per_item", "second_look_percent", "is_blind", "push_policy", "pushes_agreement")


class QueueForm(forms.ModelForm):  # type: ignore[type-arg]
    """A queue's settings. The address cannot be changed; questions and criteria are edited in the rubric."""

    unit = forms.ChoiceField(required=False, choices=Unit.choices, label="Unit")
    push_to = forms.ChoiceField(required=False, choices=PushTarget.choices, label="Push an answer to a session to")
    push_policy = forms.ChoiceField(
        required=False, choices=PushPolicy.choices, label="Push to Laminar",
        help_text="Combined: the mean of numbers, the choice of more than half, a flag if anyone set one.",
    )  # fmt: skip

    class Meta:
        model = Queue
        formfield_callback = make_field
        fields = [
            "name", "key_prefix",
            "score_key", "notes_key", "needs_review_key", "reviewer_key", "review_rev_key",
            "unit", "push_to", "grace_seconds", "keeps_notes_here",
            "reviewers_per_item", "second_look_percent", "is_blind", "push_policy", "pushes_agreement",
        ]  # fmt: skip
        labels = {
            "key_prefix": "Prefix for all keys",
            "score_key": "Score key",
            "notes_key": "Notes key",
            "needs_review_key": "Needs review key",
            "reviewer_key": "Reviewer key",
            "review_rev_key": "Revision key",
            "grace_seconds": "Seconds to undo a review before it is pushed",
            "keeps_notes_here": "Keep notes in the review desk and never push them",
            "reviewers_per_item": "Reviewers per item",
            "second_look_percent": "Second look, in per cent of the items",
            "is_blind": "Hide answers from other reviewers, and push nothing, until everyone has answered",
            "pushes_agreement": "With combined answers, push “reviewers” (how many) and “agreement” (from 0 to 1)",
        }
        help_texts = {
            "reviewers_per_item": "How many people review each item. Applies to items that are not completed yet.",
            "second_look_percent": "A random share of the items that one more person reviews.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("reviewers_per_item", "second_look_percent"):
            self.fields[name].required = False

    @property
    def main_fields(self) -> list[forms.BoundField]:
        """The fields for every queue."""
        return [field for field in self if field.name not in SEVERAL_REVIEWERS]

    @property
    def several_reviewers_fields(self) -> list[forms.BoundField]:
        """The fields for queues whose items are reviewed by more than one person."""
        return [self[name] for name in SEVERAL_REVIEWERS]

    def clean_reviewers_per_item(self) -> int:
        """Keep the current value if the field is missing, so that scripts can omit it."""
        count: int | None = self.cleaned_data["reviewers_per_item"]
        return self.instance.reviewers_per_item if count is None else count

    def clean_second_look_percent(self) -> Decimal:
        """Keep the current value if the field is missing, so that scripts can omit it."""
        percent: Decimal | None = self.cleaned_data["second_look_percent"]
        return self.instance.second_look_percent if percent is None else percent

    def clean_is_blind(self) -> bool:
        """Keep the current value if the fields for several reviewers are missing, so that scripts can omit them."""
        is_blind: bool = self.cleaned_data["is_blind"]
        return is_blind if "reviewers_per_item" in self.data else self.instance.is_blind

    def clean_push_policy(self) -> str:
        """Keep the current value if the field is missing, so that scripts can omit it."""
        policy: str = self.cleaned_data["push_policy"]
        return policy or self.instance.push_policy

    def clean_pushes_agreement(self) -> bool:
        """Keep the current value if the fields for several reviewers are missing, so that scripts can omit them."""
        pushes_agreement: bool = self.cleaned_data["pushes_agreement"]
        return pushes_agreement if "reviewers_per_item" in self.data else self.instance.pushes_agreement

    def clean_unit(self) -> str:
        """Keep the current value if the field is missing, so that scripts can omit it."""
        unit: str = self.cleaned_data["unit"]
        return unit or self.instance.unit

    def clean_push_to(self) -> str:
        """Keep the current value if the field is missing, so that scripts can omit it."""
        target: str = self.cleaned_data["push_to"]
        return target or self.instance.push_to

    def clean_grace_seconds(self) -> int:
        """Keep the current value if the field is missing, so that scripts can omit it."""
        seconds: int | None = self.cleaned_data["grace_seconds"]
        return self.instance.grace_seconds if seconds is None else seconds


class NewQueueForm(QueueForm):
    """A new queue: its settings and its first score scale. Criteria are added later, in the rubric."""

    preset = forms.ChoiceField(
        required=False,
        label="Scale",
        choices=[("", "custom, as entered below"), *((name, preset.label) for name, preset in PRESETS.items())],
    )

    class Meta(QueueForm.Meta):
        fields = [
            "slug",
            "name",
            "question",
            "preset",
            "score_min",
            "score_max",
            "score_step",
            *QueueForm.Meta.fields[1:],
        ]
        labels = {
            **QueueForm.Meta.labels,
            "slug": "Address",
            "question": "What is the score for?",
            "score_min": "Lowest score",
            "score_max": "Highest score",
            "score_step": "Step",
        }


class DueField(forms.Field):
    """A date or time by which items should be reviewed; an empty one is None."""

    def to_python(self, value: Any) -> datetime | None:
        text = value.strip() if isinstance(value, str) else ""
        due_at = parse_due_time(text)
        if text and due_at is None:
            raise ValidationError("Write the due date as 2026-12-31 or 2026-12-31T17:30.")
        return due_at


class PasteForm(forms.Form):
    """Trace ids or Laminar links to add, one per line, and what is set for all of them."""

    # Not a CharField, which refuses the whole text for a NUL in one line.
    ids = forms.Field(widget=forms.Textarea, validators=[MaxLengthValidator(400_000)])
    reason = forms.CharField(required=False, max_length=300, label="Reason (shown to the reviewer)")
    priority = PlainIntegerField(
        required=False, min_value=-MAX_PRIORITY, max_value=MAX_PRIORITY, label="Priority (higher comes first)"
    )
    due_at = DueField(required=False, label="Due date, such as 2026-12-31 or 2026-12-31T17:30")

    @property
    def option_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("reason", "priority", "due_at")]


class UploadForm(forms.Form):
    """Which column of an uploaded file is what, and what is set for all its lines."""

    reason = forms.CharField(required=False, max_length=300, label="Reason, where the file has none")
    priority = PlainIntegerField(
        required=False, min_value=-MAX_PRIORITY, max_value=MAX_PRIORITY, label="Priority, where the file has none"
    )
    due_at = DueField(required=False, label="Due date, where the file has none")
    brings_back = forms.BooleanField(required=False, label="Also add traces that were removed from this queue")
    requeues = forms.BooleanField(required=False, label="Also make reviewed and skipped items pending again")

    def __init__(self, layout: Layout, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in FIELD_LABELS.items():
            is_required = name == "trace_id"
            first = [("", "choose a column" if is_required else "not in the file")]
            column = layout.fields.get(name)
            self.fields[f"column_{name}"] = forms.ChoiceField(
                choices=first + [(str(number), text) for number, text in layout.choices], required=is_required,
                label=label, initial="" if column is None else str(column),
            )  # fmt: skip

    def read_fields(self) -> dict[str, int | None]:
        """The column of each field, None for none."""
        chosen = {name: self.cleaned_data[f"column_{name}"] for name in FIELD_LABELS}
        return {name: int(number) if number else None for name, number in chosen.items()}

    @property
    def column_fields(self) -> list[forms.BoundField]:
        return [self[f"column_{name}"] for name in FIELD_LABELS]

    @property
    def option_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("reason", "priority", "due_at")]


class ItemChangeForm(forms.Form):
    """What to change in items of a queue's list; an empty due date removes theirs."""

    action = forms.ChoiceField(
        choices=[("requeue", ""), ("priority", ""), ("due_at", "")],
        error_messages={"required": "Choose what to change.", "invalid_choice": "Choose what to change."},
    )
    priority = PlainIntegerField(required=False, min_value=-MAX_PRIORITY, max_value=MAX_PRIORITY)
    due_at = DueField(required=False)

    def clean_priority(self) -> int:
        priority: int | None = self.cleaned_data["priority"]
        if priority is None and self.cleaned_data.get("action") == "priority":
            raise ValidationError("Give a priority.")
        return priority or 0
