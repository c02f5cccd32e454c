"""The form a reviewer answers, with each refusal a sentence."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms

from reviewapp.lib.word_diff import DiffSegment, diff
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import criteria
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.reviews.models import Review, format_decimal

MAX_NOTES_LENGTH = 20_000
# Plain digits only: no exponent, no underscore, no digits of other scripts, no NaN.
_NUMBER = re.compile(r"-?[0-9]{1,8}(?:[.,][0-9]{1,4})?")


_NOT_TAKEN = {
    "null_characters_not_allowed": "A character in it cannot be stored (NUL). Remove it and submit again.",
    "max_length": "A score has 20 characters at most. Shorten it and submit again.",
    "required": "The form's version got lost on the way. Open the item again; your text stays here.",
}
MARKED = "Correct what is marked below; all you typed is still here."


@dataclass(frozen=True, slots=True)
class Row:
    """A criterion in the form: what stands in its fields, what is wrong with it, what a correction changes."""

    criterion: Criterion
    values: list[str]
    error: str = ""
    diff: list[DiffSegment] | None = None

    @property
    def first_value(self) -> str:
        """What stands in its one field."""
        return self.values[0] if self.values else ""


class ReviewForm(forms.Form):
    """score, notes, needs_review, the queue's criteria, and the version the form was opened on.

    `rubric` is the queue at the rubric version under which the form was opened; answers are read under it alone.
    `original` is the text that a correction starts from. Once valid, `own` holds the answers to criteria by key.
    """

    score = forms.CharField(required=False, max_length=20, error_messages=_NOT_TAKEN)
    notes = forms.CharField(required=False, strip=False, widget=forms.Textarea, error_messages=_NOT_TAKEN)
    needs_review = forms.CharField(required=False, error_messages=_NOT_TAKEN)
    unsure = forms.CharField(required=False, error_messages=_NOT_TAKEN)
    version = forms.CharField(error_messages=_NOT_TAKEN)
    # What the reviewer decided about personal data in what they wrote, once asked.
    personal_data = forms.ChoiceField(required=False, choices=[(one, one) for one in ("send", "mask", "keep")])

    def __init__(self, rubric: Queue, *args: Any, original: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rubric = rubric
        # What looks like personal data or a secret, a sentence each, when the reviewer has to decide about it.
        self.findings: list[str] = []
        self.original = original
        self.criterion_answers: dict[str, Any] = {}
        self.faults: dict[str, str] = {}

    @classmethod
    def on(cls, rubric: Queue, version: int, review: Review | None, original: str = "") -> "ReviewForm":
        """The form as one opens it: empty, or with the answers given before."""
        initial: dict[str, Any] = {"version": version}
        if review is not None:
            initial.update(
                score=review.score_text, notes=review.notes,
                needs_review="true" if review.needs_review else "", unsure="true" if review.is_unsure else "",
                own=review.criterion_answers if rubric.parsed_criteria else {},
            )  # fmt: skip
        return cls(rubric, initial=initial, original=original)

    def moved_to(self, version: int) -> "ReviewForm":
        """The same text on another version of the item."""
        data: Any = self.data.copy()  # type: ignore[attr-defined]
        data["version"] = str(version)
        return ReviewForm(self.rubric, data, original=self.original)

    @property
    def field_values(self) -> dict[str, str]:
        """What stands in each field now, typed or opened with."""
        values = {name: self[name].value() for name in ("score", "notes", "needs_review", "unsure", "version")}
        return {name: "" if value is None else str(value) for name, value in values.items()}

    @property
    def said(self) -> list[list[str]]:
        """What stands in each field but the version, however a browser spells ends of lines and empty answers."""
        fields = [[text] for name, text in self.field_values.items() if name != "version"]
        fields += [row.values for row in self.criterion_rows]
        plain_fields = [[text.replace("\r\n", "\n").strip() for text in texts] for texts in fields]
        return [[text for text in texts if text] for texts in plain_fields]

    @property
    def criterion_rows(self) -> list[Row]:
        """The queue's criteria with what stands in each now."""
        return [self._row(criterion) for criterion in self.rubric.parsed_criteria]

    def clean_score(self) -> Decimal | None:
        text = self.cleaned_data["score"].strip()
        if not text:
            return None
        rubric = self.rubric
        if not _NUMBER.fullmatch(text):
            raise forms.ValidationError(f"“{text}” is not a number. {_range(rubric)}")
        score = Decimal(text.replace(",", "."))
        if not rubric.score_min <= score <= rubric.score_max:
            raise forms.ValidationError(f"{format_decimal(score)} is outside the scale. {_range(rubric)}")
        if (score - rubric.score_min) % rubric.score_step:
            raise forms.ValidationError(f"{format_decimal(score)} is between two steps. {_range(rubric)}")
        return score

    def clean_notes(self) -> str:
        notes: str = self.cleaned_data["notes"].replace("\r\n", "\n").strip()
        if len(notes) > MAX_NOTES_LENGTH:
            raise forms.ValidationError(
                f"The notes have {len(notes):,} characters; {MAX_NOTES_LENGTH:,} fit. Shorten them."
            )
        # What a browser sends for half a character arrives as this mark.
        if "\N{REPLACEMENT CHARACTER}" in notes or any("\ud800" <= letter <= "\udfff" for letter in notes):
            raise forms.ValidationError("The notes hold a broken character (shown as �). Remove it and submit again.")
        return notes

    def clean_needs_review(self) -> bool:
        text = self.cleaned_data["needs_review"]
        if text not in ("", "true"):
            raise forms.ValidationError("Needs review is either ticked (true) or left out.")
        return bool(text)

    def clean_unsure(self) -> bool:
        text = self.cleaned_data["unsure"]
        if text not in ("", "true"):
            raise forms.ValidationError("Unsure is either ticked (true) or left out.")
        return bool(text)

    def clean_version(self) -> int:
        text = self.cleaned_data["version"]
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise forms.ValidationError(
                "The form's version was changed on the way. Open the item again; your text stays here."
            )
        return int(text)

    def clean(self) -> dict[str, Any]:
        for name in self.fields:
            if hasattr(self.data, "getlist") and len(self.data.getlist(name)) > 1:
                self.add_error(None, f"The field “{name}” came twice. Submit the form once, as it is on the page.")
        self._clean_own()
        answers = self.cleaned_data
        if answers.get("unsure") and answers.get("score") is not None:
            self.add_error("score", "A score and “unsure” exclude each other: clear the one you do not mean.")
        is_blank = answers.get("score") is None and not any(map(answers.get, ("notes", "needs_review", "unsure")))
        is_blank = is_blank and not any(map(criteria.is_answered, self.criterion_answers.values()))
        if not self.errors and is_blank and answers.get("version") == 0:
            self.add_error(
                None, "Nothing is answered yet: give a score or a note, tick needs review, or skip the item."
            )
        return answers

    def _clean_own(self) -> None:
        for criterion in self.rubric.parsed_criteria:
            try:
                value = criteria.clean_answer(criterion, self._sent(criterion), self.original)
                if value is None and criterion.is_required and not self.cleaned_data.get("unsure"):
                    raise forms.ValidationError("This has to be answered.")
            except forms.ValidationError as error:
                self.faults[criterion.key] = error.messages[0]
            else:
                self.criterion_answers[criterion.key] = value
        if self.faults:
            self.add_error(None, MARKED)

    def _row(self, criterion: Criterion) -> Row:
        if self.is_bound:
            typed = self._sent(criterion)
        elif "drafted" in self.initial:
            typed = self.initial["drafted"].get(criterion.field_name, [])
        else:
            typed = criteria.to_form_values(criterion, self.initial.get("own", {}).get(criterion.key), self.original)
        row = Row(criterion, typed, self.faults.get(criterion.key, ""))
        if criterion.kind != "correction" or not self.original or row.first_value.split() == self.original.split():
            return row
        return Row(criterion, typed, row.error, diff(self.original, row.first_value))

    def _sent(self, criterion: Criterion) -> list[str]:
        if hasattr(self.data, "getlist"):
            return list(self.data.getlist(criterion.field_name))
        return [self.data[criterion.field_name]] if criterion.field_name in self.data else []


def _range(rubric: Queue) -> str:
    low, high, step = map(format_decimal, (rubric.score_min, rubric.score_max, rubric.score_step))
    return f"Give {low} to {high} in steps of {step}."
