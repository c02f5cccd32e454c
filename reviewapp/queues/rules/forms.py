"""Forms for leads to create and edit rules."""

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from reviewapp.lib import canonical_json, clock
from reviewapp.lib.number_fields import make_field
from reviewapp.lib.numbers import format_decimal
from reviewapp.queues.models import Rule
from reviewapp.queues.rules.lifecycle import EDITABLE_FIELDS
from reviewapp.traces.metadata import pairs
from reviewapp.traces.metadata.pairs import FilterError, Pair

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A rule, with its pairs as text, one per line."""

    pairs = forms.CharField(
        required=False,
        strip=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        label="Conditions, one key=value per line. A trace must match all of them. Leave empty for all traces.",
    )

    class Meta:
        model = Rule
        formfield_callback = make_field
        fields = ["name", "pairs", "percent", "rest_percent", "daily_cap", "priority", "salt"]
        labels = {
            "name": "Name",
            "percent": "Percentage of matching traces to add",
            "rest_percent": "Percentage of all other traces to add",
            "daily_cap": "Daily limit: maximum number of traces per day (UTC). Leave empty for no limit.",
            "priority": "Priority of the items. Higher comes first.",
        }
        widgets = {"salt": forms.HiddenInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["pairs"] = format_pairs(self.instance.conditions)
        for share in ("percent", "rest_percent"):
            self.initial[share] = Decimal(format_decimal(self.initial[share]))
        if self.instance.pk:
            # The salt is fixed once the rule exists: another one would sample other traces.
            del self.fields["salt"]
        self.fields["daily_cap"].widget.attrs["min"] = 1

    def clean_pairs(self) -> str:
        """Parse the pairs into the JSON text that the rule stores."""
        lines = _LINE_BREAK.split(self.cleaned_data["pairs"])
        try:
            return canonical_json.dumps(pairs.parse_pairs([line for line in lines if line.strip()]))
        except (FilterError, canonical_json.InvalidJSONError) as error:
            raise ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        """Refuse a rule that could not add any trace."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        percent, rest_percent = data.get("percent"), data.get("rest_percent")
        if data.get("pairs") == "[]" and rest_percent:
            raise ValidationError("Without conditions there are no other traces. Add one, or set the percentage to 0.")
        if percent == 0 and rest_percent == 0:
            raise ValidationError("Both percentages are 0, so this rule would add no traces. Enter at least one.")
        return data

    @property
    def changed_fields(self) -> list[str]:
        """The editable fields of the rule that were changed."""
        return [name for name in EDITABLE_FIELDS if name in self.changed_data]


class NewRuleForm(RuleForm):
    """A new rule, and the time from which it scans traces."""

    since = forms.ChoiceField(
        required=False,
        label="Applies to",
        choices=[
            ("", "traces that arrive from now on and started at most a day ago"),
            ("week", "also traces of the last 7 days"),
        ],
    )

    def clean_since(self) -> str:
        """Set the time from which the rule scans traces."""
        since: str = self.cleaned_data["since"]
        self.instance.scanned_until = self.instance.active_since = clock.now() - timedelta(days=7 if since else 0)
        return since


def format_pairs(pairs: Iterable[Pair]) -> str:
    """Format pairs one per line. A value with line breaks is written as its JSON text, which matches the same."""
    return "\n".join(
        f"{pair.key}={json.dumps(pair.value, ensure_ascii=False) if _LINE_BREAK.search(pair.value) else pair.value}"
        for pair in pairs
    )
