"""Apply rules: each looks at every trace some minutes after its metadata last changed, and takes its share.

A trace is asked for in the order of `Trace.noted_at`, which its coming sets and each later change moves. So one
reading of an index, from where the rule has come to, sees new traces and late metadata alike, at each rule's own pace.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.queues import entry
from reviewapp.queues.entry import Entry
from reviewapp.queues.models import Rule
from reviewapp.queues.rules import lifecycle
from reviewapp.traces.models import Trace

log = logging.getLogger(__name__)

# Metadata that comes within this time is there when a trace is judged; and a change that was written before is
# committed by then, so that none is passed over.
SETTLE_DELAY = timedelta(minutes=2)
# Traces looked at in one transaction, and rules applied in one round.
BATCH_SIZE = 200
ROUND = 10
RETRY_DELAY = timedelta(minutes=1)
OUR_FAULT = "A fault of ours kept this rule from being applied; the worker's log tells it. It is tried again."


def apply_due_rules(project: Project | None = None) -> int:
    """Let some rules that have traces to look at look at the next ones; how many traces. The farthest behind first."""
    now = clock.now()
    behind = _settled(now).filter(
        Q(noted_at__gt=OuterRef("scanned_until")) | Q(pk__gt=OuterRef("scanned_pk")),
        project=OuterRef("queue__project"), noted_at__gte=OuterRef("scanned_until"),
    )  # fmt: skip
    ready = Rule.objects.ready(now).filter(Exists(behind)).order_by("scanned_until", "pk")
    if project is not None:
        ready = ready.filter(queue__project=project)
    return sum(_try(rule) for rule in list(ready.values_list("pk", flat=True)[:ROUND]))


def _try(pk: int) -> int:
    try:
        return _apply(pk)
    except Exception:
        # One that fails keeps none of the others from being applied.
        log.exception("rule %s failed and is tried again", pk)
        Rule.objects.filter(pk=pk).update(fault=OUR_FAULT, retry_at=clock.now() + RETRY_DELAY)
        return 0


def _apply(pk: int) -> int:
    """Look at a rule's next traces and take its share of them; how many it looked at, none when a worker does."""
    now = clock.now()
    with transaction.atomic():
        held = Rule.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        rule = held.select_related("queue__project").filter(pk=pk, is_on=True).first()
        seen = [] if rule is None else list(_next(rule, now))
        if rule is None or not seen:
            return 0
        # A place that a patch of ours made before the trace came is judged when it comes.
        here = {
            trace.pk: trace.trace_id for trace in seen if trace.start_time and trace.start_time >= rule.earliest_start
        }
        drawn = lifecycle.sample_traces(rule, here, lifecycle.matching(rule, here))
        entries = [
            Entry(each.trace_id, reason=lifecycle.build_reason(rule, is_match=each.is_match), priority=rule.priority)
            for each in drawn
        ]
        room = None if rule.daily_cap is None else max(0, rule.daily_cap - rule.added_today)
        added = entry.add(rule.queue, entries, f"rule:{rule.name}", rule=rule, limit=room).added if entries else 0
        Rule.objects.filter(pk=pk).update(
            scanned_until=seen[-1].noted_at, scanned_pk=seen[-1].pk, fault="", retry_at=None,
            added_count=F("added_count") + added,
            added_that_day=rule.added_today + added, last_added_at=now if added else rule.last_added_at,
        )  # fmt: skip
    return len(seen)


def _next(rule: Rule, now: datetime) -> QuerySet[Trace]:
    later = Q(noted_at__gt=rule.scanned_until) | Q(pk__gt=rule.scanned_pk)
    found = _settled(now).filter(later, project=rule.queue.project, noted_at__gte=rule.scanned_until)
    return found.only("trace_id", "noted_at", "start_time").order_by("noted_at", "pk")[:BATCH_SIZE]


def _settled(now: datetime) -> QuerySet[Trace]:
    return Trace.objects.filter(noted_at__lte=now - SETTLE_DELAY)
