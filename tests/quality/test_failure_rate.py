"""The page of a queue's failure rate: what rules sampled stands for all traces, hand-picked items for none."""

from decimal import Decimal

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.quality.failure_rate import count_hand_picked, estimate_failure_rates
from reviewapp.quality.failures import FailureTest, list_tests
from reviewapp.queues.models import Queue, QueueItem, Rule, SampleDay
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from tests.factories import QueueItemFactory, RuleFactory
from tests.queries import count_queries

LOW = FailureTest("score:0", "score is at most 0", max_score=Decimal(0))
URL = "/p/support/queues/{}/failure-rate/"


@pytest.fixture
def rule(queue: Queue) -> Rule:
    return RuleFactory.create(queue=queue, percent=100, rest_percent=10)


def review(rule: Rule, user: User, *scores: int, **fields: object) -> None:
    for score in scores:
        item: QueueItem = QueueItemFactory.create(queue=rule.queue, rule=rule, **fields)
        submit(item, user, Answers(Decimal(score), "", needs_review=False), version=0)


def test_it_weighs_each_review_by_what_it_stands_for(rule: Rule, reviewer: User) -> None:
    review(rule, reviewer, 0, 0, 0, 0, inclusion_probability=1)
    review(rule, reviewer, 0, 1, 1, 1, inclusion_probability="0.1")
    (row,) = estimate_failure_rates(rule.queue, LOW)
    assert row.rate is not None
    # 4 of 4 and 10 of 40.
    assert row.rate.share == pytest.approx(14 / 44)
    assert row.rate.interval.low < 14 / 44 < row.rate.interval.high
    assert (row.sampled, row.judged, row.failed, row.has_rest) == (8, 8, 5, True)
    assert row.further_reviews is not None
    assert row.further_reviews > 100


def test_it_counts_the_daily_limit(rule: Rule, reviewer: User) -> None:
    day = SampleDay.objects.create(rule=rule, day="2026-11-30", eligible=40, kept=4)
    review(rule, reviewer, 0, inclusion_probability=1)
    review(rule, reviewer, 1, inclusion_probability=1, sample_day=day)
    (row,) = estimate_failure_rates(rule.queue, LOW)
    assert row.rate is not None
    assert row.rate.share == pytest.approx(1 / 11)


def test_it_leaves_hand_picked_items_out(rule: Rule, reviewer: User) -> None:
    review(rule, reviewer, 0, 0)
    assert estimate_failure_rates(rule.queue, LOW) == []
    assert count_hand_picked(rule.queue) == 2


def test_it_leaves_unsure_answers_out(rule: Rule, reviewer: User) -> None:
    item = QueueItemFactory.create(queue=rule.queue, rule=rule, inclusion_probability=1)
    submit(item, reviewer, Answers(None, "", needs_review=False, is_unsure=True), version=0)
    (row,) = estimate_failure_rates(rule.queue, LOW)
    assert (row.sampled, row.judged, row.rate) == (1, 0, None)


def test_it_offers_the_lower_of_two_scores_first(queue: Queue) -> None:
    queue.score_step = Decimal(1)
    assert [test.label for test in list_tests(queue)] == ["score is Fail", "flagged as needs review"]


def test_it_shows_the_rate_to_leads(lead_client: Client, rule: Rule, reviewer: User) -> None:
    review(rule, reviewer, 0, 1, inclusion_probability=1)
    page = lead_client.get(URL.format(rule.queue.slug) + "?failed=score:0").text
    assert "50.0%" in page
    assert rule.name in page


@pytest.mark.parametrize("failed", ["", "x", "score:7", "\x00", "9" * 5_000, "score:0'"])
def test_it_shows_the_first_test_for_an_unknown_one(lead_client: Client, queue: Queue, failed: str) -> None:
    response = lead_client.get(URL.format(queue.slug), {"failed": failed})
    assert response.status_code == 200
    assert 'value="needs_review" selected' in response.text


def test_it_asks_no_more_queries_for_more_reviews(rule: Rule, reviewer: User) -> None:
    review(rule, reviewer, 0, inclusion_probability=1)
    before = count_queries(lambda: estimate_failure_rates(rule.queue, LOW))
    review(rule, reviewer, *[1] * 10, inclusion_probability=1)
    assert count_queries(lambda: estimate_failure_rates(rule.queue, LOW)) == before


def test_it_refuses_reviewers(reviewer_client: Client, queue: Queue) -> None:
    assert reviewer_client.get(URL.format(queue.slug)).status_code == 403
