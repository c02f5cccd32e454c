"""What a lead fills in: a queue's settings, and traces to add."""

from django import forms

from reviewapp.queues.models import Queue
from reviewapp.queues.rubric.versions import PRESETS


class QueueForm(forms.ModelForm):  # type: ignore[type-arg]
    """A queue's settings; its address is chosen once, and what it asks is changed in its rubric."""

    class Meta:
        model = Queue
        fields = [
            "name", "key_prefix",
            "score_key", "notes_key", "needs_review_key", "reviewer_key", "review_rev_key",
            "grace_seconds", "keeps_notes_here",
        ]  # fmt: skip
        labels = {
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
    """A queue to make: its settings, and the scale it begins with. What else it asks is said in its rubric."""

    preset = forms.ChoiceField(
        required=False,
        label="Scale",
        choices=[("", "as given below"), *((name, preset.label) for name, preset in PRESETS.items())],
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


class PasteForm(forms.Form):
    """Trace ids, one a line."""

    ids = forms.CharField(strip=False, widget=forms.Textarea, max_length=400_000)
    reason = forms.CharField(required=False, max_length=300)
