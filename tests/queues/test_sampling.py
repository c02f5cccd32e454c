"""The draw: the same for a trace each time, as large as said, and no rule's like another's."""

from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from reviewapp.queues.rules.sampling import is_sampled

TRACES = [UUID(int=number) for number in range(4_000)]

percents = st.integers(0, 10_000).map(lambda hundredths: Decimal(hundredths) / 100)
salts = st.text("0123456789abcdef", min_size=16, max_size=16)


@given(st.uuids(), percents, percents, salts)
def test_a_larger_share_holds_a_smaller(trace_id: UUID, one: Decimal, other: Decimal, salt: str) -> None:
    small, large = sorted((one, other))

    assert is_sampled(trace_id, small, salt) <= is_sampled(trace_id, large, salt)


@given(st.uuids(), salts)
def test_none_is_never_and_all_is_always(trace_id: UUID, salt: str) -> None:
    assert (is_sampled(trace_id, Decimal(0), salt), is_sampled(trace_id, Decimal(100), salt)) == (False, True)


def test_the_draw_stays_what_it_is() -> None:
    """Stored rules go on with it: another way of drawing would take other traces."""
    drawn = [trace_id.int for trace_id in TRACES[:40] if is_sampled(trace_id, Decimal(20), "0" * 16)]

    assert drawn == [4, 11, 13, 18, 19, 39]


def test_it_takes_its_share() -> None:
    for percent in ("20", "2.5"):
        drawn = sum(is_sampled(trace_id, Decimal(percent), "5a17" * 4) for trace_id in TRACES)
        # Four standard deviations of such a draw.
        assert abs(drawn - 40 * float(percent)) < 4 * (40 * float(percent)) ** 0.5


def test_two_rules_draw_independently() -> None:
    both = sum(is_sampled(each, Decimal(50), "a" * 16) and is_sampled(each, Decimal(50), "b" * 16) for each in TRACES)

    assert 850 < both < 1_150
