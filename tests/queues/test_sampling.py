"""Sampling: stable for a trace, as large as configured, independent between rules, and explained in the reason."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewapp.queues.models import Queue
from reviewapp.queues.rules.sampling import build_reason, is_sampled
from tests.factories import RuleFactory

TRACES = [UUID(int=number) for number in range(4_000)]

percents = st.integers(0, 10_000).map(lambda hundredths: Decimal(hundredths) / 100)
salts = st.text("0123456789abcdef", min_size=16, max_size=16)


@given(st.uuids(), percents, percents, salts)
def test_it_includes_smaller_samples_in_larger_ones(trace_id: UUID, first: Decimal, second: Decimal, salt: str) -> None:
    smaller, larger = sorted((first, second))

    assert is_sampled(trace_id, smaller, salt) <= is_sampled(trace_id, larger, salt)


@given(st.uuids(), salts)
def test_it_samples_nothing_at_zero_and_everything_at_a_hundred(trace_id: UUID, salt: str) -> None:
    assert (is_sampled(trace_id, Decimal(0), salt), is_sampled(trace_id, Decimal(100), salt)) == (False, True)


def test_it_samples_the_same_traces_in_every_release() -> None:
    """Stored rules depend on the algorithm: another one would sample other traces."""
    numbers = [trace_id.int for trace_id in TRACES[:40] if is_sampled(trace_id, Decimal(20), "0" * 16)]

    assert numbers == [4, 11, 13, 18, 19, 39]


def test_it_samples_the_configured_share() -> None:
    for percent in ("20", "2.5"):
        count = sum(is_sampled(trace_id, Decimal(percent), "5a17" * 4) for trace_id in TRACES)
        # Four standard deviations of such a sample.
        assert abs(count - 40 * float(percent)) < 4 * (40 * float(percent)) ** 0.5


def test_it_samples_independently_for_two_rules() -> None:
    count = sum(
        is_sampled(trace_id, Decimal(50), "a" * 16) and is_sampled(trace_id, Decimal(50), "b" * 16)
        for trace_id in TRACES
    )

    assert 850 < count < 1_150


@pytest.mark.parametrize(
    ("fields", "is_match", "reason"),
    [
        ({"percent": 20}, True, "rule “x”: environment=production; 20% sample"),
        ({"rest_percent": "2.50"}, False, "rule “x”: 2.5% of the traces without environment=production"),
        ({"pairs": "[]", "percent": 5}, True, "rule “x”: 5% of all traces"),
    ],
)
def test_it_states_the_share_in_the_reason(queue: Queue, fields: dict[str, Any], is_match: bool, reason: str) -> None:
    rule = RuleFactory.create(queue=queue, name="x", **fields)
    rule.refresh_from_db()

    assert build_reason(rule, is_match=is_match) == reason


def test_it_truncates_a_long_reason(queue: Queue) -> None:
    rule = RuleFactory.create(queue=queue, pairs=f'[["key","{"v" * 400}"]]')
    reason = build_reason(rule, is_match=True)

    assert len(reason) == 300
    assert reason.endswith("vvv…")
