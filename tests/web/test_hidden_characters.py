"""No page shows a name with raw invisible or direction-changing characters, wherever the name appears."""

from html.parser import HTMLParser

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.delivery.models import Attempt, Breaker, Bulk, Patch
from reviewapp.keys.models import AccessToken, LaminarKey
from reviewapp.lib import canonical_json, invisible_chars
from reviewapp.queues.models import Queue, QueueItem, Rubric, Rule
from reviewapp.reviews.models import Review
from reviewapp.traces.filter_models import SavedView
from reviewapp.traces.metadata.index import reindex
from reviewapp.traces.models import Span, Trace
from tests.browser.pages import PAGES, create_test_data
from tests.factories import RuleFactory

HOSTILE = "\u202eAQ\u200b\x1b[31m\U0001f3f4\U000e0068\u2800"
PAGES_WITH_NAMES = {
    **PAGES,
    "rules": "/p/support/queues/answers/rules/",
    "rule": "/p/support/queues/answers/rules/{rule}/",
    "new rule": "/p/support/queues/new/rule/",
    "delete rule": "/p/support/queues/answers/rules/{rule}/delete/",
    "remove item": "/p/support/queues/answers/items/{pending}/remove/",
    "rubric": "/p/support/queues/answers/rubric/",
    "my reviews": "/p/support/queues/answers/mine/",
    "metadata keys": "/p/support/traces/keys/",
    "provenance": "/p/support/deliveries/traces/{trace}/metadata/",
    "raw": "/p/support/traces/{trace}/?tab=raw",
    "search": "/p/support/traces/{trace}/?find=Paris",
    "search for it": "/p/support/traces/{trace}/?find=%E2%80%AEAQ",
    "wrong filter": "/p/support/traces/?m=%E2%80%AEAQ",
    "filter": "/p/support/traces/?m=%E2%80%AEAQ%3D%E2%80%AEAQ&c=%E2%80%AEAQ",
    "wrong trace": "/p/support/deliveries/?trace=%E2%80%AEAQ",
    "reviewer": "/p/support/queues/answers/reviews/?reviewer=%E2%80%AEAQ",
    "key not there": "/p/support/traces/keys/?part=%E2%80%AEAQ",
}
# What is typed comes back as it was typed, and an address is encoded.
AS_TYPED = {"value", "data-text", "data-user"}


class VisibleParts(HTMLParser):
    """Collects every text and attribute of a page except what a field holds as it was typed."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.in_textarea = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_textarea = tag == "textarea"
        self.parts += [f'{name}="{value}"' for name, value in attrs if value and name not in AS_TYPED]

    def handle_endtag(self, tag: str) -> None:
        self.in_textarea = False

    def handle_data(self, data: str) -> None:
        if not self.in_textarea:
            self.parts.append(data)


@pytest.fixture
def hostile_ids(project: Project, queue: Queue, admin: User) -> dict[str, object]:
    """Pages' test data in which every name and foreign text is hostile; the ids that the URLs name."""
    ids = create_test_data(project, queue, admin)
    rule = RuleFactory.create(queue=queue, pairs=canonical_json.dumps([[HOSTILE, HOSTILE]]))
    pending = QueueItem.objects.filter(queue=queue, version=0).earliest("pk")
    criteria = [
        {"key": "tone", "label": HOSTILE, "kind": "choice", "help": HOSTILE,
         "options": [{"value": HOSTILE, "help": HOSTILE}, {"value": "b", "help": ""}]}
    ]  # fmt: skip
    Project.objects.update(name=HOSTILE)
    User.objects.update(username=HOSTILE, name=HOSTILE)
    Queue.objects.update(name=HOSTILE, question=HOSTILE, guideline=HOSTILE, criteria=canonical_json.dumps(criteria))
    Rubric.objects.update(made_by=HOSTILE)
    Rule.objects.update(name=HOSTILE, fault=HOSTILE, made_by=HOSTILE)
    QueueItem.objects.update(reason=HOSTILE, reference=HOSTILE, added_by=HOSTILE, claimed_by=admin)
    Review.objects.update(notes=HOSTILE)
    SavedView.objects.update(made_by=HOSTILE)
    for number, view in enumerate(SavedView.objects.all()):
        SavedView.objects.filter(pk=view.pk).update(name=HOSTILE + str(number))
    AccessToken.objects.update(name=HOSTILE, created_by=HOSTILE)
    LaminarKey.objects.update(added_by=HOSTILE)
    Patch.objects.update(source=HOSTILE, last_error=HOSTILE)
    Attempt.objects.update(answer=HOSTILE)
    Bulk.objects.update(made_by=HOSTILE)
    Breaker.objects.update(reason=HOSTILE)
    AuditEvent.objects.update(actor_name=HOSTILE, verb=HOSTILE, target=HOSTILE, detail=HOSTILE)
    metadata = canonical_json.dumps({"environment": "production", HOSTILE: HOSTILE})
    Trace.objects.update(name=HOSTILE, status=HOSTILE[:19], pull_error=HOSTILE, metadata=metadata)
    Span.objects.update(name=HOSTILE, model=HOSTILE, span_type=HOSTILE[:19], status=HOSTILE[:19])
    reindex(list(Trace.objects.all()))
    return {**ids, "rule": rule.pk, "pending": pending.pk}


@pytest.mark.parametrize("name", PAGES_WITH_NAMES)
def test_it_shows_no_name_raw(name: str, hostile_ids: dict[str, object], admin_client: Client) -> None:
    response = admin_client.get(PAGES_WITH_NAMES[name].format(**hostile_ids), follow=True)

    page = VisibleParts()
    page.feed(response.content.decode())
    assert [part for part in page.parts if invisible_chars.find_hidden(part)] == []
    assert response.status_code in (200, 404, 422)
    assert "U+202E" in "".join(page.parts)
