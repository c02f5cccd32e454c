"""The URL map for tests: every route with its access rule, and URL values for each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from reviewapp.accounts.models import Role
from reviewapp.delivery.models import Bulk
from reviewapp.keys.models import AccessToken
from reviewapp.lib import clock
from reviewapp.people import links
from reviewapp.people.models import AccountLink
from reviewapp.quality.models import Settlement
from reviewapp.queues.models import ItemState, QueueItem
from reviewapp.queues.models.upload import Upload, UploadState
from reviewapp.traces.filter_models import SavedView
from reviewapp.traces.transcript import pictures
from reviewapp.webhooks.models import Webhook, WebhookMessage
from tests.factories import (
    LaminarKeyFactory,
    MembershipFactory,
    PatchFactory,
    QueueItemFactory,
    ReviewFactory,
    RuleFactory,
    SpanFactory,
    TraceFactory,
)

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
PICTURE = "iVBORw0KGgpwaWN0dXJl"
ROLES = [role.value for role in Role]


@dataclass(frozen=True)
class Route:
    """One entry of the URL map: its full pattern, and the access rule and module of its view."""

    pattern: str
    rule: str
    module: str

    @property
    def parameters(self) -> set[str]:
        return set(PARAMETER.findall(self.pattern))

    @property
    def role(self) -> str:
        """The lowest role that has access; empty for a route outside projects."""
        return self.rule.removeprefix("member: ") if self.rule.startswith("member: ") else ""

    def url(self, values: dict[str, object]) -> str:
        """The URL with its parameters filled in. Raises KeyError for a parameter that `values` lacks."""
        return "/" + PARAMETER.sub(lambda match: str(values[match[1]]), self.pattern)


def walk(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[Route]:
    for entry in patterns:
        pattern = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, pattern)
        else:
            rule, module = (getattr(entry.callback, name, "") for name in ("access_rule", "__module__"))
            yield Route(pattern, rule, module)


ALL_ROUTES = list(walk(get_resolver().url_patterns))
PROJECT_ROUTES = [route for route in ALL_ROUTES if route.role]


def for_each_route(routes: list[Route]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("route", routes, ids=lambda route: route.pattern or "home")


def make_url_values(item: QueueItem) -> dict[str, object]:
    """A value for every URL parameter, all in the item's project."""
    project = item.queue.project
    trace = TraceFactory.create(project=project, trace_id=item.trace_id)
    span = SpanFactory.create(trace=trace, input=f"data:image/png;base64,{PICTURE}")
    patch = PatchFactory.create(project=project, trace_id=item.trace_id)
    key = LaminarKeyFactory.create(project=project, retired_at=clock.now())
    token = AccessToken.objects.create(project=project, name="ci", prefix="rvw_test", digest="0" * 64)
    view = SavedView.objects.create(project=project, name="flagged", query="m=needs_review%3Dtrue", made_by="lead")
    completed = QueueItemFactory.create(queue=item.queue, state=ItemState.COMPLETED, version=1)
    review = ReviewFactory.create(item=completed)
    settlement = Settlement.objects.create(
        item=completed, number=1, review=review, item_version=1, rubric_version=1, ruling="Short dates pass.",
        settled_by=review.reviewer, patch=patch,
    )  # fmt: skip
    bulk = Bulk.objects.create(project=project, preview_id=uuid4(), metadata='{"k":1}', made_by="lead")
    rule = RuleFactory.create(queue=item.queue)
    webhook = Webhook.objects.create(project=project, url="https://example.com/hooks", events="queue.completed")
    message = WebhookMessage.objects.create(webhook=webhook, event="queue.completed", body="{}", due_at=clock.now())
    member = MembershipFactory.create(project=project)
    link_secret = links.make_invite(project, "reviewer", 7, "admin")
    upload = Upload.objects.create(queue=item.queue, kind=Upload.Kind.VIEW, state=UploadState.DONE, made_by="lead")
    return {
        "webhook": webhook.pk, "message": message.pk, "project": project.slug,
        "view": view.pk, "bulk": bulk.pk, "queue": item.queue.slug, "item": item.pk,
        "key": key.pk, "trace_id": item.trace_id, "patch": patch.pk, "token": token.pk, "span_id": span.span_id,
        "name": pictures.digest(PICTURE), "rule": rule.pk, "person": member.pk,
        "secret": link_secret, "link": AccountLink.objects.get().pk,
        "upload": upload.pk, "review": review.pk, "setup_secret": "used", "figure": "to-do",
        "settlement": settlement.pk,
    }  # fmt: skip
