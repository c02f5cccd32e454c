"""The reviewer's form, with a sentence for each refusal."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict

from reviewapp.lib.newlines import normalise_newlines
from reviewapp.lib.numbers import format_decimal, parse_decimal
from reviewapp.lib.shortening import shorten
from reviewapp.lib.word_diff import Budget, Diff, diff
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import answer_values
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.queues.rubric.option_keys import KeyedOption, assign_letters, find_clearing_key
from reviewapp.reviews.marking import Mark, find_criterion
from reviewapp.reviews.models import Review

MAX_NOTES_LENGTH = 20_000
# Characters of all answers together, in a review and in a draft.
MAX_FORM_LENGTH = 2_000_000
# Fields of the page's form that are not fields of the Django form.
EXTRA_FIELDS = ("csrfmiddlewaretoken", "trace", "client_id", "rubric", "stay", "list", "active_seconds")

_ERROR_MESSAGES = {
    "null_characters_not_allowed": "This contains a character that cannot be stored (NUL). Remove it and submit again.",
    "max_length": "A score has at most 20 characters. Shorten it and submit again.",
    "required": "The form's version is missing. Open the item again to submit; your text is still in the form.",
}
UNKNOWN_RUBRIC = (
    "The form belongs to a version of the rubric that does not exist. These are the current questions: check your"
    " answers and submit again."
)
FIELDS_NEED_CORRECTION = "Correct the fields marked below. Your answers are still in the form."


@dataclass(frozen=True)
class CriterionRow:
    """A criterion in the form: the values of its fields, its error, and the text that a correction starts from.

    The rows of one form share a `diff_budget`. `options` are what can be chosen, each with its key in this form.
    """

    criterion: Criterion
    values: list[str]
    options: Sequence[KeyedOption] = ()
    error: str = ""
    original: str = ""
    diff_budget: Budget = field(default_factory=Budget)

    @property
    def first_value(self) -> str:
        """The value of a criterion with one field."""
        return self.values[0] if self.values else ""

    @property
    def no_answer_key(self) -> str:
        """The digit that clears the answer; empty if it is the key of an option."""
        return find_clearing_key(self.options)

    @property
    def mark(self) -> Mark:
        """The marked first error of a criterion that asks for it."""
        return Mark.parse(self.first_value)

    @cached_property
    def diff(self) -> Diff:
        """What a correction changes; empty for other criteria."""
        is_changed = self.original and self.first_value.split() != self.original.split()
        return diff(self.original, self.first_value, self.diff_budget) if is_changed else Diff()


class ReviewForm(forms.Form):
    """score, notes, needs_review, the queue's criteria, and the item's version when the form was opened.

    `rubric` is the queue at the rubric version under which the form was opened; answers are read under it alone.
    `original` is the text that a correction starts from. Once the form is valid, `criterion_answers` holds the answers
    to criteria by key.
    """

    score = forms.CharField(required=False, max_length=20, error_messages=_ERROR_MESSAGES)
    notes = forms.CharField(required=False, strip=False, widget=forms.Textarea, error_messages=_ERROR_MESSAGES)
    needs_review = forms.CharField(required=False, error_messages=_ERROR_MESSAGES)
    unsure = forms.CharField(required=False, error_messages=_ERROR_MESSAGES)
    version = forms.CharField(error_messages=_ERROR_MESSAGES)
    # The reviewer's decision about personal data in the answers; empty until the page has asked for one.
    personal_data = forms.ChoiceField(required=False, choices=[(name, name) for name in ("send", "mask", "keep")])

    def __init__(self, rubric: Queue, *args: Any, original: str = "", has_rubric: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rubric = rubric
        # False if the form was opened with an unknown version of the rubric.
        self.has_rubric = has_rubric
        # A sentence for each finding of personal data or a secret, if the reviewer has to decide about them.
        self.findings: list[str] = []
        self.original = original
        self.criterion_answers: dict[str, Any] = {}
        self.criterion_errors: dict[str, str] = {}

    @classmethod
    def for_review(cls, rubric: Queue, version: int, review: Review | None, original: str = "") -> "ReviewForm":
        """The unbound form: empty, or with the answers of the item's review."""
        initial: dict[str, Any] = {"version": version}
        if review is not None:
            initial.update(
                score=review.score_text, notes=review.notes,
                needs_review="true" if review.needs_review else "", unsure="true" if review.is_unsure else "",
                criterion_answers=review.criterion_answers if rubric.parsed_criteria else {},
            )  # fmt: skip
        return cls(rubric, initial=initial, original=original)

    def at_version(self, version: int) -> "ReviewForm":
        """The same form data for another version of the item."""
        form_data: Any = self.data.copy()  # type: ignore[attr-defined]
        form_data["version"] = str(version)
        return ReviewForm(self.rubric, form_data, original=self.original)

    @property
    def field_values(self) -> dict[str, str]:
        """The current value of each built-in field, submitted or initial."""
        values = {name: self[name].value() for name in ("score", "notes", "needs_review", "unsure", "version")}
        return {name: "" if value is None else str(value) for name, value in values.items()}

    @property
    def no_score_key(self) -> str:
        """The digit that clears the score; empty if it is a score."""
        return find_clearing_key(self.rubric.score_options)

    @property
    def normalised_values(self) -> list[list[str]]:
        """The values of all fields but the version, without the differences in line ends and blanks of browsers."""
        fields = [[text] for name, text in self.field_values.items() if name != "version"]
        fields += [row.values for row in self.criterion_rows]
        stripped_fields = [[normalise_newlines(text).strip() for text in texts] for texts in fields]
        return [[text for text in texts if text] for texts in stripped_fields]

    @property
    def unread_answers(self) -> list[tuple[str, str]]:
        """Name and text of each value that no field of the form shows, to be copied from there."""
        criteria_by_field = {criterion.field_name: criterion for criterion in self.rubric.parsed_criteria}
        unread: list[tuple[str, str]] = []
        for name, values in self._all_values.items():
            criterion = criteria_by_field.get(name)
            if name in self.fields:
                rest = values[:-1]
            elif criterion is not None:
                rest = values[1:] if criterion.kind in ("number", "text", "correction", "first_error") else []
            else:
                rest = [] if name in EXTRA_FIELDS else values
            unread += [(name, text) for text in rest if text.strip()]
        return unread

    @property
    def error_summary(self) -> str:
        """The error that belongs to no single field, or else where to find the others."""
        errors = self.non_field_errors()
        return str(errors[0]) if errors else FIELDS_NEED_CORRECTION

    @property
    def marked_place(self) -> str:
        """The place that is marked as the first error; empty if none is."""
        criterion = find_criterion(self.rubric)
        return "" if criterion is None else self._criterion_row(criterion, (), Budget()).mark.place

    @property
    def criterion_rows(self) -> list[CriterionRow]:
        """The rubric's criteria with their current values."""
        diff_budget = Budget()
        rubric_criteria = self.rubric.parsed_criteria
        lettered = assign_letters(
            {
                criterion.key: [(option.value, option.help) for option in criterion.options]
                for criterion in rubric_criteria
                if not criterion.has_one_choice
            }
        )
        return [
            self._criterion_row(
                criterion, criterion.keyed_options if criterion.has_one_choice else lettered[criterion.key], diff_budget
            )
            for criterion in rubric_criteria
        ]

    def clean_score(self) -> Decimal | None:
        text = self.cleaned_data["score"].strip()
        if not text:
            return None
        rubric = self.rubric
        score = parse_decimal(text)
        if score is None:
            raise forms.ValidationError(f"“{text}” is not a number. {rubric.score_hint}")
        if not rubric.score_min <= score <= rubric.score_max:
            raise forms.ValidationError(f"{format_decimal(score)} is outside the scale. {rubric.score_hint}")
        if (score - rubric.score_min) % rubric.score_step:
            raise forms.ValidationError(f"{format_decimal(score)} is between two steps. {rubric.score_hint}")
        return score

    def clean_notes(self) -> str:
        notes: str = normalise_newlines(self.cleaned_data["notes"]).strip()
        if len(notes) > MAX_NOTES_LENGTH:
            raise forms.ValidationError(
                f"The notes have {len(notes):,} characters; the limit is {MAX_NOTES_LENGTH:,}. Shorten them."
            )
        # A browser sends half a surrogate pair as the replacement character.
        if "\N{REPLACEMENT CHARACTER}" in notes or any("\ud800" <= letter <= "\udfff" for letter in notes):
            raise forms.ValidationError(
                "The notes contain a broken character (shown as �). Remove it and submit again."
            )
        return notes

    def clean_needs_review(self) -> bool:
        return self._clean_checkbox("needs_review", "Needs review")

    def clean_unsure(self) -> bool:
        return self._clean_checkbox("unsure", "Unsure")

    def clean_version(self) -> int:
        text = self.cleaned_data["version"]
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise forms.ValidationError(
                "The form's version is not valid. Open the item again to submit; your text is still in the form."
            )
        return int(text)

    def clean(self) -> dict[str, Any]:
        self._check_fields()
        self._clean_criteria()
        answers = self.cleaned_data
        if answers.get("unsure") and answers.get("score") is not None:
            self.add_error("score", "You cannot give a score and be unsure: clear one of them.")
        is_blank = answers.get("score") is None and not any(map(answers.get, ("notes", "needs_review", "unsure")))
        is_blank = is_blank and not any(map(answer_values.is_answered, self.criterion_answers.values()))
        if not self.errors and is_blank and answers.get("version") == 0:
            self.add_error(
                None, "You have not answered anything yet: give a score or a note, tick needs review, or skip the item."
            )
        return answers

    def _check_fields(self) -> None:
        """Refuse a form of which something would be left out."""
        if not self.has_rubric:
            self.add_error(None, UNKNOWN_RUBRIC)
        for name in (*self.fields, *EXTRA_FIELDS):
            if len(self._all_values.get(name, ())) > 1:
                self.add_error(None, f"The field “{name}” was sent twice. Reload the page and submit the form once.")
        if self.unread_answers:
            self.add_error(
                None, f"The field “{shorten(self.unread_answers[0][0], 80)}” belongs to no question of this form."
            )
        length = sum(len(text) for values in self._all_values.values() for text in values)
        if length > MAX_FORM_LENGTH:
            self.add_error(
                None, f"The answers have {length:,} characters; the limit is {MAX_FORM_LENGTH:,}. Shorten them."
            )

    def _clean_checkbox(self, name: str, label: str) -> bool:
        text = self.cleaned_data[name]
        if text not in ("", "true"):
            raise forms.ValidationError(f"{label} must be true or omitted.")
        return bool(text)

    def _clean_criteria(self) -> None:
        for criterion in self.rubric.parsed_criteria:
            try:
                value = answer_values.clean_answer(criterion, self._submitted_values(criterion), self.original)
                if value is None and criterion.is_required and not self.cleaned_data.get("unsure"):
                    raise forms.ValidationError("An answer is required.")
            except forms.ValidationError as error:
                self.criterion_errors[criterion.key] = error.messages[0]
            else:
                self.criterion_answers[criterion.key] = value
        if self.criterion_errors:
            self.add_error(None, FIELDS_NEED_CORRECTION)

    def _criterion_row(self, criterion: Criterion, options: Sequence[KeyedOption], diff_budget: Budget) -> CriterionRow:
        if self.is_bound:
            values = self._submitted_values(criterion)
        elif "draft_values" in self.initial:
            values = self.initial["draft_values"].get(criterion.field_name, [])
        else:
            answer = self.initial.get("criterion_answers", {}).get(criterion.key)
            values = answer_values.to_form_values(criterion, answer, self.original)
        original = self.original if criterion.kind == "correction" else ""
        error = self.criterion_errors.get(criterion.key, "")
        return CriterionRow(criterion, values, options, error, original, diff_budget)

    @cached_property
    def _all_values(self) -> dict[str, list[str]]:
        """All values by field name: of the submitted form, or of the draft that the form was opened with."""
        if not self.is_bound:
            return dict(self.initial.get("draft_values", {}))
        if isinstance(self.data, MultiValueDict):
            return dict(self.data.lists())
        return {name: [value] for name, value in self.data.items()}

    def _submitted_values(self, criterion: Criterion) -> list[str]:
        return self._all_values.get(criterion.field_name, [])
