"""The form a reviewer answers, with each refusal a sentence."""

import re
from decimal import Decimal
from typing import Any

from django import forms

from reviewapp.queues.models import Queue
from reviewapp.reviews.models import Review, plain

NOTES = 20_000
# Plain digits only: no exponent, no underscore, no digits of other scripts, no NaN.
_NUMBER = re.compile(r"-?[0-9]{1,8}(?:[.,][0-9]{1,4})?")


class ReviewForm(forms.Form):
    """score, notes, needs_review, and the version the form was opened on."""

    score = forms.CharField(required=False, max_length=20)
    notes = forms.CharField(required=False, strip=False, widget=forms.Textarea)
    needs_review = forms.CharField(required=False)
    unsure = forms.CharField(required=False)
    version = forms.CharField()
    # What the reviewer decided about personal data in the notes, once asked.
    personal_data = forms.ChoiceField(required=False, choices=[(one, one) for one in ("send", "mask", "keep")])

    def __init__(self, queue: Queue, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = queue
        # What looks like personal data or a secret in the notes, in words, when the reviewer has to decide about it.
        self.findings: list[str] = []

    @classmethod
    def on(cls, queue: Queue, version: int, review: Review | None) -> "ReviewForm":
        """The form as one opens it: empty, or with the answers given before."""
        initial: dict[str, Any] = {"version": version}
        if review is not None:
            initial.update(
                score=review.score_text, notes=review.notes,
                needs_review="true" if review.needs_review else "", unsure="true" if review.is_unsure else "",
            )  # fmt: skip
        return cls(queue, initial=initial)

    @property
    def typed(self) -> dict[str, str]:
        """What stands in each field now, typed or opened with."""
        values = {name: self[name].value() for name in ("score", "notes", "needs_review", "unsure", "version")}
        return {name: "" if value is None else str(value) for name, value in values.items()}

    def clean_score(self) -> Decimal | None:
        text = self.cleaned_data["score"].strip()
        if not text:
            return None
        queue = self.queue
        if not _NUMBER.fullmatch(text):
            raise forms.ValidationError(f"“{text}” is not a number. {_range(queue)}")
        score = Decimal(text.replace(",", "."))
        if not queue.score_min <= score <= queue.score_max:
            raise forms.ValidationError(f"{plain(score)} is outside the scale. {_range(queue)}")
        if (score - queue.score_min) % queue.score_step:
            raise forms.ValidationError(f"{plain(score)} is between two steps. {_range(queue)}")
        return score

    def clean_notes(self) -> str:
        notes: str = self.cleaned_data["notes"].replace("\r\n", "\n").strip()
        if len(notes) > NOTES:
            raise forms.ValidationError(f"The notes have {len(notes):,} characters; {NOTES:,} fit. Shorten them.")
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
        answers = self.cleaned_data
        if answers.get("unsure") and answers.get("score") is not None:
            self.add_error("score", "A score and “unsure” exclude each other: clear the one you do not mean.")
        is_blank = answers.get("score") is None and not any(map(answers.get, ("notes", "needs_review", "unsure")))
        if not self.errors and is_blank and answers.get("version") == 0:
            self.add_error(
                None, "Nothing is answered yet: give a score or a note, tick needs review, or skip the item."
            )
        return answers


def _range(queue: Queue) -> str:
    return f"Give {plain(queue.score_min)} to {plain(queue.score_max)} in steps of {plain(queue.score_step)}."
