"""Apply rules: each rule scans every trace some minutes after its metadata last changed, and adds its share.

Traces are scanned in the order of `Trace.noted_at`, which is set when a trace arrives and again at each later change.
So one index scan per rule, from the rule's own scan position, finds new traces and late metadata alike.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.queues import adding
from reviewapp.queues.models import Rule, Source
from reviewapp.queues.rules import capping, sampling
from reviewapp.queues.rules.sampling import SampledTrace
from reviewapp.traces.models import Trace

log = logging.getLogger(__name__)

# Wait this long after a change, so that late metadata has arrived when a trace is judged, and so that a transaction
# that wrote an earlier change has committed and the scan misses no trace.
SETTLE_DELAY = timedelta(minutes=2)
# Traces scanned per transaction, and rules applied per call.
BATCH_SIZE = 200
RULES_PER_ROUND = 10
RETRY_DELAY = timedelta(minutes=1)
INTERNAL_ERROR = "An internal error kept this rule from being applied; see the worker's log. It will be retried."


def apply_due_rules(project: Project | None = None) -> int:
    """Apply rules that have traces to scan, the furthest behind first. Returns the number of traces scanned."""
    now = clock.now()
    due = Rule.objects.ready(now).filter(Exists(_unscanned_traces(now))).order_by("scanned_until", "pk")
    if project is not None:
        due = due.filter(queue__project=project)
    return sum(_try_apply(pk) for pk in list(due.values_list("pk", flat=True)[:RULES_PER_ROUND]))


def measure_lag() -> dict[str, timedelta]:
    """How long a trace has waited for the rule furthest behind, by the slug of each project with rules that are on."""
    now = clock.now()
    oldest = Subquery(_unscanned_traces(now).order_by("noted_at", "pk").values("noted_at")[:1])
    lags: dict[str, timedelta] = {}
    for project, noted_at in Rule.objects.filter(is_on=True).values_list("queue__project__slug", oldest):
        lag = timedelta() if noted_at is None else now - SETTLE_DELAY - noted_at
        lags[project] = max(lags.get(project, timedelta()), lag)
    return lags


def rescan_from_now() -> None:
    """After the clock was set back: scan again what changed while it was ahead, and miss nothing that changes now."""
    now = clock.now()
    Trace.objects.filter(noted_at__gt=now).update(noted_at=now)
    Rule.objects.filter(scanned_until__gt=now).update(scanned_until=now, scanned_pk=0)
    Rule.objects.filter(retry_at__gt=now + RETRY_DELAY).update(retry_at=now)


def _try_apply(pk: int) -> int:
    try:
        return _apply(pk)
    except Exception:
        # A rule that fails must not stop the others.
        log.exception("rule %s failed and will be retried", pk)
        Rule.objects.filter(pk=pk).update(fault=INTERNAL_ERROR, retry_at=clock.now() + RETRY_DELAY)
        return 0


def _apply(pk: int) -> int:
    """Scan a rule's next traces and add its share. Returns the number scanned, 0 if another worker has locked it."""
    now = clock.now()
    with transaction.atomic():
        unlocked = Rule.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        rule = unlocked.select_related("queue__project").filter(pk=pk, is_on=True).first()
        scanned = [] if rule is None else list(_next_traces(rule, now))
        if rule is None or not scanned:
            return 0
        # A row without a start time, created by one of our patches, is judged when its trace arrives.
        trace_ids = {
            trace.pk: trace.trace_id
            for trace in scanned
            if trace.start_time and trace.start_time >= rule.earliest_start
        }
        sampled = sampling.sample_traces(rule, trace_ids, sampling.matching(rule, trace_ids))
        added = _add(rule, sampled, now) if sampled else 0
        Rule.objects.filter(pk=pk).update(
            scanned_until=scanned[-1].noted_at, scanned_pk=scanned[-1].pk, fault="", retry_at=None,
            added_count=F("added_count") + added,
            added_that_day=rule.added_today + added, last_added_at=now if added else rule.last_added_at,
        )  # fmt: skip
    return len(scanned)


def _add(rule: Rule, sampled: Sequence[SampledTrace], now: datetime) -> int:
    """Add the sampled traces, of a rule with a daily maximum those it keeps. Returns the number of further items."""
    if rule.daily_cap is not None:
        return capping.add_sample(rule, rule.daily_cap, sampled, now.date())
    entries = [sampling.make_entry(rule, trace) for trace in sampled]
    return adding.add(rule.queue, entries, f"rule:{rule.name}", source=Source.RULE, rule=rule).added


def _next_traces(rule: Rule, now: datetime) -> QuerySet[Trace]:
    unscanned = Q(noted_at__gt=rule.scanned_until) | Q(pk__gt=rule.scanned_pk)
    traces = _settled_traces(now).filter(unscanned, project=rule.queue.project, noted_at__gte=rule.scanned_until)
    return traces.only("trace_id", "noted_at", "start_time").order_by("noted_at", "pk")[:BATCH_SIZE]


def _unscanned_traces(now: datetime) -> QuerySet[Trace]:
    """The settled traces that the rule of the outer query has not scanned."""
    return _settled_traces(now).filter(
        Q(noted_at__gt=OuterRef("scanned_until")) | Q(pk__gt=OuterRef("scanned_pk")),
        project=OuterRef("queue__project"), noted_at__gte=OuterRef("scanned_until"),
    )  # fmt: skip


def _settled_traces(now: datetime) -> QuerySet[Trace]:
    return Trace.objects.filter(noted_at__lte=now - SETTLE_DELAY)
