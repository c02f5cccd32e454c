"""Decide which traces a rule adds to its queue, and state the reason in words."""

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from reviewapp.lib.numbers import format_decimal
from reviewapp.lib.shortening import shorten
from reviewapp.queues.adding import Entry
from reviewapp.queues.models import QueueItem, Rule, Stratum
from reviewapp.traces.metadata import index

_HASH_RANGE = 2**64


class SampledTrace(NamedTuple):
    """A trace that a rule may add; `is_match` says whether it matches the pairs or is one of the others.

    `draw` is uniform in [0, 1) among the sampled traces of each of the two shares.
    """

    trace_pk: int
    trace_id: UUID
    is_match: bool
    draw: float


def is_sampled(trace_id: UUID, percent: Decimal, salt: str) -> bool:
    """Whether this trace is in a sample of `percent`; the answer is the same each time.

    A larger sample contains every smaller one with the same salt. Samples with different salts are independent.
    """
    # Compare integers, so that 0 per cent never samples a trace and 100 per cent always does.
    return _hash_trace(trace_id, salt) * 10_000 < int(percent * 100) * _HASH_RANGE


def _hash_trace(trace_id: UUID, salt: str) -> int:
    return int.from_bytes(hashlib.blake2b(trace_id.bytes, key=salt.encode(), digest_size=8).digest())


def _draw(rule: Rule, trace_id: UUID, percent: Decimal) -> float:
    """Where in its share a sampled trace lies."""
    return _hash_trace(trace_id, rule.salt) * 10_000 / (int(percent * 100) * _HASH_RANGE)


def matching(rule: Rule, trace_pks: Iterable[int]) -> set[int]:
    """Return the primary keys of those of these traces that match all of the rule's pairs."""
    postings = index.matching(rule.queue.project, rule.conditions, Q(place__in=list(trace_pks)))
    return set(postings.values_list("place", flat=True))


def sample_traces(rule: Rule, trace_ids: Mapping[int, UUID], matching_pks: set[int]) -> list[SampledTrace]:
    """Return those of these traces, given by primary key, that the rule samples, in the same order.

    `matching_pks` are the primary keys of those that match the rule's pairs.
    """
    sampled = []
    for pk, trace_id in trace_ids.items():
        percent = rule.percent if pk in matching_pks else rule.rest_percent
        if is_sampled(trace_id, percent, rule.salt):
            sampled.append(SampledTrace(pk, trace_id, pk in matching_pks, _draw(rule, trace_id, percent)))
    return sampled


def make_entry(rule: Rule, trace: SampledTrace) -> Entry:
    """Return the entry that adds a sampled trace to the rule's queue."""
    percent = rule.percent if trace.is_match else rule.rest_percent
    # Without pairs, every trace matches.
    return Entry(
        trace.trace_id, reason=build_reason(rule, is_match=trace.is_match), priority=rule.priority,
        stratum=Stratum.MATCHES if trace.is_match else Stratum.REST, inclusion_probability=percent / 100,
        draw=None if rule.daily_cap is None else trace.draw,
    )  # fmt: skip


def build_reason(rule: Rule, *, is_match: bool) -> str:
    """Return the reason why a trace is in the queue, as shown to its reviewer."""
    conditions = ", ".join(map(str, rule.conditions))
    if not conditions:
        explanation = f"{_format_percent(rule.percent)} of all traces"
    elif is_match:
        is_all = rule.percent == 100
        explanation = conditions if is_all else f"{conditions}; {_format_percent(rule.percent)} sample"
    else:
        explanation = f"{_format_percent(rule.rest_percent)} of the traces without {conditions}"
    reason = f"rule “{rule.name}”: {explanation}"
    max_length = QueueItem._meta.get_field("reason").max_length or 0
    return shorten(reason, max_length)


def _format_percent(percent: Decimal) -> str:
    return f"{format_decimal(percent)}%"
