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
SETTLED = timedelta(minutes=2)
# Traces looked at in one transaction, and rules applied in one round.
BATCH = 200
ROUND = 10
AGAIN = timedelta(minutes=1)
OUR_FAULT = "A fault of ours kept this rule from being applied; the worker's log tells it. It is tried again."


def apply_due(project: Project | None = None) -> int:
    """Let some rules that have traces to look at look at the next ones; how many traces. The farthest behind first."""
    now = clock.now()
    behind = _settled(now).filter(
        Q(noted_at__gt=OuterRef("looked_at")) | Q(pk__gt=OuterRef("looked_pk")),
        project=OuterRef("queue__project"), noted_at__gte=OuterRef("looked_at"),
    )  # fmt: skip
    ready = Rule.objects.ready(now).filter(Exists(behind)).order_by("looked_at", "pk")
    if project is not None:
        ready = ready.filter(queue__project=project)
    return sum(_try(rule) for rule in list(ready.values_list("pk", flat=True)[:ROUND]))


def _try(pk: int) -> int:
    try:
        return _apply(pk)
    except Exception:
        # One that fails keeps none of the others from being applied.
        log.exception("rule %s failed and is tried again", pk)
        Rule.objects.filter(pk=pk).update(fault=OUR_FAULT, retry_at=clock.now() + AGAIN)
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
        here = {trace.pk: trace.trace_id for trace in seen if trace.start_time and trace.start_time >= rule.begun_since}
        drawn = lifecycle.draw(rule, here, lifecycle.matching(rule, here))
        entries = [
            Entry(each.trace_id, reason=lifecycle.reason(rule, is_match=each.is_match), priority=rule.priority)
            for each in drawn
        ]
        room = None if rule.daily_cap is None else max(0, rule.daily_cap - rule.taken_today)
        added = entry.add(rule.queue, entries, f"rule:{rule.name}", rule=rule, most=room).added if entries else 0
        Rule.objects.filter(pk=pk).update(
            looked_at=seen[-1].noted_at, looked_pk=seen[-1].pk, fault="", retry_at=None, taken=F("taken") + added,
            taken_that_day=rule.taken_today + added, taken_at=now if added else rule.taken_at,
        )  # fmt: skip
    return len(seen)


def _next(rule: Rule, now: datetime) -> QuerySet[Trace]:
    later = Q(noted_at__gt=rule.looked_at) | Q(pk__gt=rule.looked_pk)
    found = _settled(now).filter(later, project=rule.queue.project, noted_at__gte=rule.looked_at)
    return found.only("trace_id", "noted_at", "start_time").order_by("noted_at", "pk")[:BATCH]


def _settled(now: datetime) -> QuerySet[Trace]:
    return Trace.objects.filter(noted_at__lte=now - SETTLED)
