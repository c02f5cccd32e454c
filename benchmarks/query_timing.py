"""Time queries by the ORM and by hand: `python -m benchmarks.query_timing`, after `benchmarks.queue_data`.

Each time is the shortest average of several rounds, in milliseconds.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.db import transaction  # noqa: E402 - models exist only after setup
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When  # noqa: E402
from django.utils.crypto import get_random_string  # noqa: E402

from reviewapp.accounts import queries as account_queries  # noqa: E402
from reviewapp.audit import queries as audit_queries  # noqa: E402
from reviewapp.delivery import queries as delivery_queries  # noqa: E402
from reviewapp.lib import clock, sql  # noqa: E402
from reviewapp.models import (  # noqa: E402
    AuditEvent,
    AuditHead,
    Membership,
    MetadataChange,
    Patch,
    Posting,
    Project,
    Queue,
    QueueItem,
    Review,
    Session,
    Skip,
    Span,
    Tally,
    Term,
    Trace,
    UnreadablePart,
    User,
)
from reviewapp.queues import queries as queue_queries  # noqa: E402
from reviewapp.reviews import queries as review_queries  # noqa: E402
from reviewapp.traces import queries as trace_queries  # noqa: E402

ROUNDS, CALLS = 10, 40

Call = Callable[[], object]
project, user, queue = Project.objects.get(), User.objects.order_by("pk")[0], Queue.objects.get()
item = QueueItem.objects.order_by("pk")[100]
trace = Trace.objects.get(project=project, trace_id=item.trace_id)
start_time = trace.start_time or clock.now()
terms = list(Term.objects.order_by("pk")[:5])
now = clock.now()
keys = ("environment", "region", "feature_flag", "customer_tier")
position = (item.queue_id, item.priority)
session = Session.objects.create(
    digest=get_random_string(64), data="x" * 200, created_at=now, seen_at=now, expires_at=now + timedelta(1)
)
claim_values = (user.pk, now, queue.pk, 0, user.pk, now, user.pk)


def free_items() -> QuerySet[QueueItem]:
    unclaimed = Q(claimed_by=None) | Q(claimed_by=user) | Q(claimed_until__lte=now)
    skips = Skip.objects.filter(item=OuterRef("pk"), user=user)
    pending = QueueItem.objects.filter(unclaimed, ~Exists(skips), queue=queue, state="pending").exclude(pk=0)
    return pending.order_by("-priority", "pk")


def claim_first() -> None:
    pks = free_items().select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)
    QueueItem.objects.filter(pk=pks[0]).update(claimed_by=user, claimed_until=now)


def advance_head() -> None:
    heads = AuditHead.objects.filter(project=project)
    heads.update(seq=F("seq") + 1)
    heads.values_list("digest", "seq").first()


def due_patches() -> list[Patch]:
    sending = Patch.objects.filter(project=OuterRef("project"), trace_id=OuterRef("trace_id"), state="sending")
    due = Patch.objects.filter(~Exists(sending), project=project, state="waiting", due_at__lte=now)
    return list(due.select_for_update(skip_locked=True, of=("self",)).order_by("due_at", "pk")[:16])


def ready_projects() -> list[Any]:
    waiting = Patch.objects.filter(project=OuterRef("pk"), state="waiting", due_at__lte=now).order_by("due_at")
    is_closed = Q(breaker__open_until=None) | Q(breaker__open_until__lte=now)
    ready = Project.objects.filter(Q(breaker=None) | Q(breaker__paused_at=None) & is_closed)
    oldest = ready.annotate(oldest=Subquery(waiting.values("due_at")[:1]))
    return list(oldest.values_list("pk", "oldest", "push_limit", "breaker__open_until"))


def make_patch() -> Patch:
    return Patch(project=project, trace_id=trace.trace_id, metadata='{"a":1}', source="x", created_at=now, due_at=now)


def make_changes() -> list[MetadataChange]:
    return [
        MetadataChange(project=project, trace=trace, key=f"k{number}", before="1", after="2", at=now, by="us")
        for number in range(5)
    ]


def insert_review() -> None:
    patch = make_patch()
    patch.save(force_insert=True)
    Review.objects.create(item=item, revision=1, reviewer=user, patch=patch, rubric_version=1)


def insert_review_by_hand() -> None:
    patch = make_patch()
    patch.save(force_insert=True)
    sql.fetch_rows(
        review_queries.INSERT_REVIEW, item.pk, 1, user.pk, None, "", False, False, False, "{}", 1, patch.pk, now,
        None, "{}", None,
    )  # fmt: skip


def membership_by_hand() -> Membership:
    (membership,) = sql.fetch_objects(Membership, account_queries.MEMBERSHIP_BY_SLUG, project.slug, user.pk)
    membership.project = sql.fetch_objects(Project, account_queries.PROJECT_BY_PK, membership.project_id)[0]
    return membership


def item_by_hand() -> QueueItem:
    (row,) = sql.fetch_objects(QueueItem, queue_queries.ITEM_OF_PROJECT, project.pk, item.pk)
    row.queue = sql.fetch_objects(Queue, queue_queries.QUEUE_BY_PK, row.queue_id)[0]
    return row


def span_links() -> list[Any]:
    has_error = Q(status__iexact="error") | Q(event_texts__contains='"name": "exception"')
    spans = Span.objects.filter(trace=trace).annotate(has_error=Case(When(has_error, then=Value(1)), default=Value(0)))
    fields = ("span_id", "parent_span_id", "pk", "span_type", "start_time", "end_time", "has_error")
    return list(spans.order_by("start_time", "pk").values_list(*fields))


def terms_of_keys() -> list[Any]:
    starts = Posting.objects.filter(term=OuterRef("pk")).values("start_time")
    first, last = Subquery(starts.order_by("start_time")[:1]), Subquery(starts.order_by("-start_time")[:1])
    terms = Term.objects.filter(project=project, count__gt=0).annotate(first=first, last=last).order_by("-count")
    fields = ("key", "value", "count", "first", "last")
    return [row for key in keys for row in terms.filter(key=key).values_list(*fields)[:201]]


def query_position() -> int:
    items = QueueItem.objects.filter(queue=item.queue_id)
    earlier = items.filter(priority=item.priority, pk__lt=item.pk).count()
    return earlier + items.filter(priority__gt=item.priority).count()


# Each query as (ORM, by hand); those in WRITES run in a transaction that is rolled back.
READS: dict[str, tuple[Call, Call]] = {
    "session": (
        lambda: Session.objects.get(digest=session.digest, expires_at__gt=now),
        lambda: sql.fetch_rows(account_queries.SESSION, session.digest, now),
    ),
    "user": (
        lambda: User.objects.get(pk=user.pk),
        lambda: sql.fetch_first(User, account_queries.USER_BY_PK, user.pk),
    ),
    "membership and project": (
        lambda: Membership.objects.select_related("project").get(project__slug=project.slug, user=user, is_active=True),
        membership_by_hand,
    ),
    "queue by slug": (
        lambda: Queue.objects.filter(project=project, slug=queue.slug).first(),
        lambda: sql.fetch_first(Queue, queue_queries.QUEUE_BY_SLUG, project.pk, queue.slug),
    ),
    "item and queue": (
        lambda: QueueItem.objects.select_related("queue").get(queue__project=project, pk=item.pk),
        item_by_hand,
    ),
    "trace by id": (
        lambda: Trace.objects.filter(project=project, trace_id=item.trace_id).first(),
        lambda: sql.fetch_first(Trace, trace_queries.TRACE_BY_ID, project.pk, item.trace_id),
    ),
    "unreadable parts": (
        lambda: list(UnreadablePart.objects.filter(trace=trace).order_by("pk")),
        lambda: sql.fetch_objects(UnreadablePart, trace_queries.UNREADABLE_PARTS, trace.pk),
    ),
    "upcoming items": (
        lambda: list(free_items().values_list("pk", flat=True)[:2]),
        lambda: sql.fetch_rows(queue_queries.UPCOMING, queue.pk, 0, user.pk, now, user.pk, 2),
    ),
    "position": (
        query_position,
        lambda: sql.fetch_rows(review_queries.POSITION, *position, item.pk, *position),
    ),
    "postings of a trace": (
        lambda: list(Posting.objects.filter(trace=trace).values_list("trace", "term", "start_time", "signature")),
        lambda: sql.fetch_rows_in(trace_queries.POSTINGS, [trace.pk]),
    ),
    "span links": (
        span_links,
        lambda: sql.fetch_rows(trace_queries.SPAN_LINKS, trace.pk),
    ),
    "terms of 4 keys": (
        terms_of_keys,
        lambda: sql.fetch_rows(
            " UNION ALL ".join([trace_queries.TERMS_OF_KEY] * len(keys)),
            *(value for key in keys for value in (project.pk, key, 201)),
        ),
    ),
    "ready projects": (
        ready_projects,
        lambda: sql.fetch_rows(delivery_queries.READY_PROJECTS, now, now),
    ),
}
WRITES: dict[str, tuple[Call, Call]] = {
    "claim first": (
        claim_first,
        lambda: sql.fetch_rows(queue_queries.CLAIM_FIRST, *claim_values),
    ),
    "complete": (
        lambda: QueueItem.objects.filter(pk=item.pk, version=0, trace_id=item.trace_id).update(
            version=F("version") + 1, state="completed", completed_at=now, claimed_by=None, claimed_until=None
        ),
        lambda: sql.execute(queue_queries.COMPLETE, "completed", now, item.pk, 0, item.trace_id),
    ),
    "lock trace": (
        lambda: list(
            Trace.objects.select_for_update()
            .filter(project=project, trace_id=trace.trace_id)
            .values_list("pk", "start_time", "metadata", "unconfirmed", "review_count")
        ),
        lambda: sql.fetch_rows(trace_queries.LOCK_TRACE, project.pk, trace.trace_id),
    ),
    "update metadata": (
        lambda: Trace.objects.filter(pk=trace.pk).update(
            metadata="{}", unconfirmed="{}", review_count=F("review_count") + 1, noted_at=now
        ),
        lambda: sql.execute(trace_queries.UPDATE_METADATA, "{}", "{}", 1, now, trace.pk),
    ),
    "insert 5 changes": (
        lambda: MetadataChange.objects.bulk_create(make_changes()),
        lambda: sql.insert(
            trace_queries.INSERT_CHANGES,
            [[project.pk, trace.pk, f"k{number}", "1", "2", now, "us", None] for number in range(5)],
        ),
    ),
    "lock 5 terms": (
        lambda: list(
            Term.objects.select_for_update(no_key=True)
            .filter(project=project, digest__in=[term.digest for term in terms])
            .values_list("digest", "pk")
        ),
        lambda: sql.fetch_rows_in(trace_queries.LOCK_TERMS, project.pk, [term.digest for term in terms]),
    ),
    "upsert 5 postings": (
        lambda: Posting.objects.bulk_create(
            [Posting(term=term, trace=trace, start_time=start_time, signature=7) for term in terms],
            update_conflicts=True, unique_fields=["term", "trace"], update_fields=["start_time", "signature"],
        ),
        lambda: sql.insert(
            trace_queries.INSERT_POSTINGS,
            [(term.pk, trace.pk, sql.to_db_value(trace.start_time), 7) for term in terms],
            trace_queries.UPDATE_CONFLICTS,
        ),
    ),
    "insert 5 tallies": (
        lambda: Tally.objects.bulk_create([Tally(term=term, delta=1) for term in terms]),
        lambda: sql.insert(trace_queries.INSERT_TALLIES, [(term.pk, 1) for term in terms]),
    ),
    "insert patch": (
        lambda: make_patch().save(force_insert=True),
        lambda: sql.fetch_rows(
            delivery_queries.INSERT_PATCH, project.pk, trace.trace_id, '{"a":1}', "[]", "[]", "x", now, now
        ),
    ),
    "lock supersedable": (
        lambda: list(
            Patch.objects.select_for_update()
            .filter(project=project, trace_id=trace.trace_id, state__in=["waiting", "sending", "accepted", "parked"])
            .order_by("pk")
        ),
        lambda: sql.fetch_objects(Patch, delivery_queries.LOCK_SUPERSEDABLE, project.pk, trace.trace_id),
    ),
    "due patches": (
        due_patches,
        lambda: sql.fetch_objects(Patch, delivery_queries.DUE_PATCHES, project.pk, now, 16),
    ),
    "insert review, with its patch by the ORM": (insert_review, insert_review_by_hand),
    "advance audit head": (
        advance_head,
        lambda: sql.fetch_rows(audit_queries.ADVANCE_HEAD, project.pk),
    ),
    "set audit head's digest": (
        lambda: AuditHead.objects.filter(project=project).update(digest="d"),
        lambda: sql.execute(audit_queries.SET_HEAD_DIGEST, "d", project.pk),
    ),
    "insert audit event": (
        lambda: AuditEvent.objects.create(
            project=project, seq=10**6, at=now, actor=user, actor_name="x", verb="v", target="t", detail="{}",
            digest="d",
        ),
        lambda: sql.execute(
            audit_queries.INSERT_EVENT, project.pk, 10**6, now, user.pk, "x", "v", "t", "{}", "d"
        ),
    ),
}  # fmt: skip


def rolled_back(call: Call) -> Call:
    def run() -> None:
        with transaction.atomic():
            call()
            transaction.set_rollback(True)

    return run


def time_call(call: Call) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS * 1000


def compare(orm: Call, by_hand: Call) -> dict[str, float]:
    orm(), by_hand()
    rounds = [(time_call(orm), time_call(by_hand)) for _ in range(ROUNDS)]
    return {"orm": min(times[0] for times in rounds), "sql": min(times[1] for times in rounds)}


def main() -> None:
    writes = {name: (rolled_back(orm), rolled_back(by_hand)) for name, (orm, by_hand) in WRITES.items()}
    sys.stdout.write(json.dumps({name: compare(*pair) for name, pair in (READS | writes).items()}))


if __name__ == "__main__":
    main()
