"""What a lead fills in: a queue's settings, and traces to add."""

from django import forms

from reviewapp.queues.models import Queue


class QueueForm(forms.ModelForm):  # type: ignore[type-arg]
    """A queue's settings; its address is chosen once."""

    class Meta:
        model = Queue
        fields = [
            "name", "question", "score_min", "score_max", "score_step", "key_prefix",
            "score_key", "notes_key", "needs_review_key", "reviewer_key", "review_rev_key",
            "grace_seconds", "keeps_notes_here",
        ]  # fmt: skip
        labels = {
            "question": "What is the score for?",
            "score_min": "Lowest score",
            "score_max": "Highest score",
            "score_step": "Step",
            "key_prefix": "Prefix of all keys",
            "score_key": "Key of the score",
            "notes_key": "Key of the notes",
            "needs_review_key": "Key of needs review",
            "reviewer_key": "Key of the reviewer",
            "review_rev_key": "Key of the revision",
            "grace_seconds": "Seconds in which a review can be undone, before it is pushed",
            "keeps_notes_here": "Keep notes here: never push them",
        }

    def clean_grace_seconds(self) -> int:
        """Left out it stays as it is: a script need not know of it."""
        seconds: int | None = self.cleaned_data["grace_seconds"]
        return self.instance.grace_seconds if seconds is None else seconds


class NewQueueForm(QueueForm):
    class Meta(QueueForm.Meta):
        fields = ["slug", *QueueForm.Meta.fields]
        labels = {**QueueForm.Meta.labels, "slug": "Address"}


class PasteForm(forms.Form):
    """Trace ids, one a line."""

    ids = forms.CharField(strip=False, widget=forms.Textarea, max_length=400_000)
    reason = forms.CharField(required=False, max_length=300)
