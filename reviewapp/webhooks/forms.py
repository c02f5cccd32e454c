"""The form of a webhook."""

from typing import Any

from django import forms

from reviewapp.accounts.models import Project
from reviewapp.laminar import AddressRefused, LaminarError, normalize_webhook_url
from reviewapp.webhooks.models import SUBSCRIBABLE, Shape, Webhook
from reviewapp.webhooks.subscriptions import Subscription, check_url


class WebhookForm(forms.Form):
    """Where a webhook sends, what, and in which shape. Checks that the URL leads to an allowed address."""

    url = forms.CharField(
        label="URL", max_length=2000, error_messages={"required": "Enter the URL that receives the messages."}
    )
    shape = forms.ChoiceField(label="Body", choices=Shape.choices)
    queue = forms.ChoiceField(label="Queue", required=False)
    events = forms.MultipleChoiceField(
        choices=[(event.value, event.label) for event in SUBSCRIBABLE],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one event."},
    )

    def __init__(self, data: Any = None, *, project: Project, webhook: Webhook | None = None) -> None:
        super().__init__(data, initial=_get_initial(webhook))
        self.previous_url = webhook.url if webhook is not None else ""
        self.queues = {queue.slug: queue for queue in project.queues.order_by("name")}
        choices = [("", "Every queue"), *((slug, queue.name) for slug, queue in self.queues.items())]
        self.fields["queue"].choices = choices  # type: ignore[attr-defined]

    def clean_url(self) -> str:
        """Normalize the URL and look its name up. A URL that stays as it was is not looked up again."""
        try:
            url = normalize_webhook_url(self.cleaned_data["url"])
        except AddressRefused as error:
            raise forms.ValidationError(str(error)) from None
        if url != self.previous_url:
            try:
                check_url(url)
            except LaminarError as error:
                raise forms.ValidationError(str(error)) from None
        return url

    @property
    def subscription(self) -> Subscription:
        """What the valid form sets."""
        data = self.cleaned_data
        queue = self.queues[data["queue"]] if data["queue"] else None
        return Subscription(data["url"], data["shape"], data["events"], queue.pk if queue is not None else None)


def _get_initial(webhook: Webhook | None) -> dict[str, Any]:
    if webhook is None:
        return {"events": [event.value for event in SUBSCRIBABLE], "shape": Shape.STANDARD.value}
    queue = webhook.queue
    return {
        "url": webhook.url,
        "shape": webhook.shape,
        "events": webhook.event_names,
        "queue": queue.slug if queue is not None else "",
    }
