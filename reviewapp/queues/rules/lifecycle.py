"""What a rule takes, in words and of given traces; and how a lead makes, changes, switches and deletes one."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from reviewapp.accounts.models import User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.lib import clock
from reviewapp.queues.models import QueueItem, Rule
from reviewapp.queues.rubric.criteria import format_decimal
from reviewapp.queues.rules.sampling import is_sampled
from reviewapp.traces.metadata import index

# What of a rule its form says.
SAID = ("name", "pairs", "percent", "rest_percent", "daily_cap", "priority")


class SampledTrace(NamedTuple):
    """A trace that a rule takes, because it holds the pairs or as one of the others."""

    trace_pk: int
    trace_id: UUID
    is_match: bool


def matching(rule: Rule, places: Iterable[int]) -> set[int]:
    """Those of these traces, by primary key, that hold all of the rule's pairs."""
    found = index.matching(rule.queue.project, rule.conditions, Q(place__in=list(places)))
    return set(found.values_list("place", flat=True))


def sample_traces(rule: Rule, trace_ids: Mapping[int, UUID], held: set[int]) -> list[SampledTrace]:
    """Of these traces, by primary key, those the rule takes, in order; those in `held` hold its pairs."""
    return [
        SampledTrace(place, trace_id, place in held)
        for place, trace_id in trace_ids.items()
        if is_sampled(trace_id, rule.percent if place in held else rule.rest_percent, rule.salt)
    ]


def build_reason(rule: Rule, *, is_match: bool) -> str:
    """Why a trace is in the queue, as its reviewer reads it."""
    asked = ", ".join(map(str, rule.conditions))
    if not asked:
        words = f"{_share(rule.percent)} of all traces"
    elif is_match:
        words = asked if rule.percent == 100 else f"{asked}; {_share(rule.percent)} sample"
    else:
        words = f"{_share(rule.rest_percent)} of the traces without {asked}"
    told = f"rule “{rule.name}”: {words}"
    most = QueueItem._meta.get_field("reason").max_length or 0
    return told if len(told) <= most else told[: most - 1] + "…"


def create_rule(rule: Rule, actor: User | str) -> None:
    """Keep a new rule, which was checked; it is applied from now on."""
    with transaction.atomic():
        rule.made_by = get_actor_name(actor)
        rule.save(force_insert=True)
        _record(rule, actor, "made rule", SAID)


def update_rule(rule: Rule, actor: User | str, changed: Sequence[str]) -> None:
    """Keep what was changed of a rule, which was checked. It holds for the traces it looks at from now on."""
    with transaction.atomic():
        # Not the whole row: a worker may be moving its place and its counts.
        rule.save(update_fields=list(changed))
        _record(rule, actor, "changed rule", changed)


def switch_rule(rule: Rule, actor: User | str, *, is_on: bool) -> bool:
    """Turn a rule on, from now on, or off; False when it is so already. What came while it was off is left."""
    now = clock.now()
    fresh = {"scanned_until": now, "scanned_pk": 0, "active_since": now, "fault": "", "retry_at": None} if is_on else {}
    with transaction.atomic():
        if not Rule.objects.filter(pk=rule.pk, is_on=not is_on).update(is_on=is_on, **fresh):
            return False
        _record(rule, actor, "turned on rule" if is_on else "turned off rule")
    return True


def delete_rule(rule: Rule, actor: User | str) -> None:
    """Delete a rule; the items it put into the queue stay, and still say why they are there."""
    with transaction.atomic():
        # A worker that applies it at this moment ends first.
        held = Rule.objects.select_for_update().filter(pk=rule.pk).first()
        if held is not None:
            held.delete()
            _record(rule, actor, "deleted rule")


def _share(percent: Decimal) -> str:
    return f"{format_decimal(percent)} %"


def _record(rule: Rule, actor: User | str, verb: str, said: Sequence[str] = ()) -> None:
    detail = {name: str(value) for name in said if (value := getattr(rule, name)) is not None}
    record(rule.queue.project, actor, verb, f"queue:{rule.queue.slug}", **{"name": rule.name, **detail})
