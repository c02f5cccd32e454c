"""The demo's traces: about sixty over three days, the same ones each time."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from reviewapp.demo import scenario_player
from reviewapp.demo.scenario import ScenarioWriter, Variation
from reviewapp.demo.scenarios import (
    coding,
    data,
    documents,
    health,
    incidents,
    languages,
    long_reads,
    research,
    support,
    travel,
)
from reviewapp.demo.trace import DemoSpan, DemoTrace

__all__ = ["DemoSpan", "DemoTrace", "make_traces"]

SEED = "review desk demo"
HOURS = 71.0

# Each scenario with the number of traces made from it; most have another outcome the second time.
SCENARIOS: tuple[tuple[ScenarioWriter, int], ...] = (
    (support.refund_pending, 4),
    (health.chest_pain, 2),
    (languages.german_invoice, 2),
    (incidents.injected_page, 2),
    (data.revenue, 2),
    (travel.weekend, 2),
    (documents.lease_summary, 2),
    (coding.order_is_lost, 2),
    (data.invoice, 3),
    (support.refund_over_the_limit, 2),
    (health.move_appointment, 2),
    (incidents.refused_prescription, 2),
    (languages.arabic_address, 1),
    (support.damaged_parcel, 1),
    (research.heat_pumps, 1),
    (travel.rebooking, 2),
    (coding.circling_agent, 1),
    (languages.spanish_double_charge, 1),
    (data.ticket_batch, 1),
    (incidents.long_apology, 1),
    (languages.japanese_warranty, 1),
    (documents.clause_question, 2),
    (support.carrier_is_down, 1),
    (incidents.meter_reading, 2),
    (travel.hotel_in_french, 1),
    (coding.unsafe_query, 1),
    (languages.chinese_points, 1),
    (data.query_repaired, 1),
    (research.battery_recycling, 1),
    (support.someone_elses_order, 1),
    (languages.portuguese_delivery, 1),
    (incidents.greeting, 1),
    (coding.rebase_rescue, 1),
    (documents.nda_in_german, 1),
    (health.calendar_times_out, 1),
    (support.bill_explained, 1),
    (travel.visa_from_memory, 1),
    (data.meaning_unclear, 1),
    (coding.typescript_narrowing, 1),
    (incidents.receipt_question, 1),
    (support.model_overloaded, 2),
    (languages.manual_to_german, 1),
    (data.resume, 1),
    (coding.fixing_agent, 1),
    (documents.minutes, 1),
    (research.nothing_found, 1),
    (health.vaccine_in_french, 1),
    (languages.description_to_japanese, 1),
    (incidents.stock_feed, 2),
    (long_reads.leave_policy, 1),
    (long_reads.dinner_for_forty, 1),
    (long_reads.fleet_costs, 1),
)

ENVIRONMENTS = ("production", "production", "production", "production", "staging")
REGIONS = ("us-west", "us-east", "eu-central", "eu-west", "ap-northeast")
FLAGS = ("new-retriever", "control", "concise-answers")
TIERS = ("enterprise", "pro", "pro", "free")
VERSIONS = ("v12", "v13", "v14")
EXTRAS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"experiment": {"name": "shorter-system-prompt", "arm": "b"}},
    {"temperature": 0.2},
    {"beta": True},
    {"release": "2026.11.3", "latency_budget_ms": 8000},
)


def make_traces(now: datetime) -> list[DemoTrace]:
    """Return the traces of the three days before `now`, with varied scenarios next to each other.

    Ids, content and order depend only on the seed; times and the dates in the conversations depend on `now`.
    """
    return [_trace(write_scenario, number, now) for write_scenario, number in _order()]


def _order() -> Iterator[tuple[ScenarioWriter, int]]:
    """Yield every scenario once, then those that are played again."""
    for number in range(max(count for _, count in SCENARIOS)):
        yield from ((write_scenario, number) for write_scenario, count in SCENARIOS if number < count)


def _trace(write_scenario: ScenarioWriter, number: int, now: datetime) -> DemoTrace:
    rng = random.Random(f"{SEED}/{write_scenario.__name__}/{number}")  # noqa: S311 - must be reproducible
    trace_id = UUID(int=rng.getrandbits(128))
    start_time = now - timedelta(hours=rng.uniform(0.25, HOURS))
    scenario = write_scenario(Variation(rng, number, start_time.date()))
    metadata = {
        "environment": rng.choice(ENVIRONMENTS),
        "region": rng.choice(REGIONS),
        "feature_flag": rng.choice(FLAGS),
        "customer_tier": rng.choice(TIERS),
        "prompt_version": rng.choice(VERSIONS),
        **scenario.metadata,
        **rng.choice(EXTRAS),
    }
    return DemoTrace(
        trace_id=trace_id,
        metadata=metadata,
        session_id=f"sess_{rng.getrandbits(40):010x}",
        user_id=f"user_{rng.randrange(1000, 1060)}",
        tags=scenario.tags,
        spans=scenario_player.play(scenario, rng, start_time),
    )
