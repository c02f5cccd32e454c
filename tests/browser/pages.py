"""URLs of every kind of page, and test data that fills them."""

from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record
from reviewapp.delivery import bulk
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.keys.models import AccessToken
from reviewapp.queues.models import Queue
from reviewapp.traces.filter_models import SavedView
from reviewapp.traces.metadata import index
from reviewapp.traces.models import Trace
from tests.factories import LaminarKeyFactory, PatchFactory, QueueItemFactory, ReviewFactory, SpanFactory, TraceFactory

METADATA = '{"environment":"production","customer_tier":"pro","plan":{"name":"gold"}}'
PAGES = {
    "projects": "/",
    "home": "/p/support/",
    "queues": "/p/support/queues/",
    "board": "/p/support/queues/answers/",
    "settings": "/p/support/queues/answers/settings/",
    "new queue": "/p/support/queues/new/",
    "workbench": "/p/support/queues/answers/review/",
    "conflict": "/p/support/items/{done}/",
    "end": "/p/support/queues/answers/end/",
    "preferences": "/accounts/preferences/",
    "reviews": "/p/support/queues/answers/reviews/",
    "reviews of a trace": "/p/support/traces/{trace}/reviews/",
    "traces": "/p/support/traces/?m=environment%3Dproduction",
    "nothing found": "/p/support/traces/?m=environment%3Dnowhere",
    "columns": "/p/support/traces/?m=environment%3Dproduction&c=environment&c=plan&sort=-duration",
    "which leaves nothing": "/p/support/traces/?m=environment%3Dproduction&m=environment%3Dnowhere",
    "views": "/p/support/traces/views/",
    "states": "/p/support/traces/states/?trace={trace}",
    "to a queue": "/p/support/traces/to-queue/?m=environment%3Dproduction&all=1",
    "push to many": "/p/support/traces/push/?m=environment%3Dproduction&all=1",
    "pushed to many": "/p/support/traces/pushed/{bulk}/",
    "transcript": "/p/support/traces/{trace}/",
    "steps": "/p/support/traces/{trace}/?tab=steps",
    "metadata": "/p/support/traces/{trace}/?tab=metadata",
    "deliveries": "/p/support/deliveries/",
    "deliveries parked": "/p/support/deliveries/?state=parked",
    "delivery": "/p/support/deliveries/{patch}/",
    "drifted delivery": "/p/support/deliveries/{drifted}/",
    "held deliveries": "/p/support/deliveries/held/",
    "keys": "/p/support/keys/",
    "audit": "/p/support/audit/?verify",
    "api documentation": "/api/v1/docs",
    "fault": "/p/support/nowhere/",
}


def create_test_data(project: Project, queue: Queue, admin: User) -> dict[str, object]:
    """Create items, reviews in every delivery state, a key, a token and an event; return the ids that PAGES names."""
    for number in range(4):
        trace = _trace(project, status="error" if number == 1 else "success")
        QueueItemFactory.create(queue=queue, trace_id=trace.trace_id, reference=f"order {number}", reason="20 % sample")
    for state in State.values:
        trace = _trace(project)
        review = ReviewFactory.create(
            item__queue=queue, item__trace_id=trace.trace_id, reviewer=admin, needs_review=True,
            notes="Left out a step.", patch__state=state,
        )  # fmt: skip
    Patch.objects.filter(state=State.PARKED).update(reason="refused", last_error="Laminar said no.")
    hours = [timezone.now() - timedelta(hours=number) for number in range(5)]
    for hour in hours:
        PatchFactory.create(
            project=project, state=State.CONFIRMED, created_at=hour, confirmed_at=hour + timedelta(seconds=3),
            metadata='{"notes":"right","score":1}', drift='{"notes":[],"score":[0.5]}', drifted_at=hours[0],
        )  # fmt: skip
    Breaker.objects.create(project=project, paused_at=hours[0], open_until=hours[0] + timedelta(days=1))
    LaminarKeyFactory.create(project=project)
    AccessToken.objects.create(project=project, name="ci", prefix="rvw_test", digest="0" * 64)
    for name, owner in (("Production", None), ("Mine", admin)):
        SavedView.objects.create(
            project=project, owner=owner, name=name, query="m=environment%3Dproduction", on_home=True, made_by="admin"
        )
    bulk_push = bulk.push(project, admin, uuid4(), {"checked": True}, [trace.trace_id])
    index.compact()
    record(project, admin, "submitted review", f"item:{review.item_id}", score="1")
    return {
        "trace": trace.trace_id,
        "patch": review.patch_id,
        "bulk": bulk_push.pk,
        "done": review.item_id,
        "drifted": Patch.objects.latest("pk").pk,
    }


def _trace(project: Project, **fields: object) -> Trace:
    trace: Trace = TraceFactory.create(
        project=project, metadata=METADATA, spans_pulled_at=timezone.now(), name="support-agent", **fields
    )
    SpanFactory.create(trace=trace, status=trace.status)
    return trace
