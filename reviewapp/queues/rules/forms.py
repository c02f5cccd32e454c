"""The form a lead makes and changes a rule in."""

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from reviewapp.lib import canonical_json, clock
from reviewapp.queues.models import Rule
from reviewapp.queues.rubric.criteria import format_decimal
from reviewapp.queues.rules.lifecycle import SAID
from reviewapp.traces.metadata import pairs
from reviewapp.traces.metadata.pairs import FilterError, Pair

_BREAK = re.compile(r"\r\n|\r|\n")


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A rule; its pairs one a line."""

    pairs = forms.CharField(
        required=False,
        strip=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        label="Pairs that must all hold, one a line as key=value; none for all traces",
    )

    class Meta:
        model = Rule
        fields = ["name", "pairs", "percent", "rest_percent", "daily_cap", "priority", "salt"]
        labels = {
            "name": "Name",
            "percent": "Of the traces that hold them, take so many per cent",
            "rest_percent": "Of all other traces, take so many per cent",
            "daily_cap": "At most so many a day (in UTC); empty for no cap",
            "priority": "Priority of its items; higher comes first",
        }
        widgets = {"salt": forms.HiddenInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["pairs"] = spelled(self.instance.conditions)
        for share in ("percent", "rest_percent"):
            self.initial[share] = Decimal(format_decimal(self.initial[share]))
        if self.instance.pk:
            # Another draw would take other traces: it is chosen once.
            del self.fields["salt"]
        self.fields["daily_cap"].widget.attrs["min"] = 1

    def clean_pairs(self) -> str:
        """The pairs as the rule keeps them."""
        lines = _BREAK.split(self.cleaned_data["pairs"])
        try:
            return canonical_json.dumps(pairs.parse_pairs([line for line in lines if line.strip()]))
        except (FilterError, canonical_json.InvalidJSONError) as error:
            raise ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        """Refuse a rule that would take nothing."""
        said: dict[str, Any] = super().clean() or self.cleaned_data
        percent, rest = said.get("percent"), said.get("rest_percent")
        if said.get("pairs") == "[]" and rest:
            raise ValidationError("Without a pair there are no other traces: give a pair, or 0 per cent of the others.")
        if percent == 0 and rest == 0:
            raise ValidationError("Both shares are 0: this rule would take nothing.")
        return said

    @property
    def said(self) -> list[str]:
        """What was changed."""
        return [name for name in SAID if name in self.changed_data]


class NewRuleForm(RuleForm):
    """A rule to make, and from when on it looks."""

    since = forms.ChoiceField(
        required=False,
        label="It looks at",
        choices=[("", "traces that begin from now on, or began a day ago"), ("week", "also those of the last 7 days")],
    )

    def clean_since(self) -> str:
        """Let the rule begin where it is said."""
        since: str = self.cleaned_data["since"]
        self.instance.scanned_until = self.instance.active_since = clock.now() - timedelta(days=7 if since else 0)
        return since


def spelled(pairs: Iterable[Pair]) -> str:
    """Pairs one a line; a value of several lines as its JSON text, which finds the same."""
    return "\n".join(
        f"{pair.key}={json.dumps(pair.value, ensure_ascii=False) if _BREAK.search(pair.value) else pair.value}"
        for pair in pairs
    )
