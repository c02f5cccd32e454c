"""A token's calls are limited per minute; other tokens are not affected."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings

from reviewapp.accounts.models import Project
from reviewapp.keys import tokens
from reviewapp.keys.models import AccessToken
from reviewapp.queues.models import Queue
from tests.api.http_calls import post
from tests.threads import run_concurrently

NOON = datetime(2026, 12, 1, 12, 0, 20, tzinfo=UTC)


def test_it_refuses_more_calls_in_the_minute(send: Any, project: Project, queue: Queue, settings: LazySettings) -> None:
    settings.API_CALLS_PER_MINUTE = 2
    other = tokens.create_token(project, "other", "command")
    with time_machine.travel(NOON, tick=False) as clock:
        statuses = [send({}).status_code for _ in range(2)]
        refused = send({})
        unaffected = post({}, other)
        clock.shift(40)
        later = send({})

    assert (statuses, unaffected.status_code, later.status_code) == ([400, 400], 400, 400)
    assert (refused.status_code, refused["Retry-After"], refused["RateLimit"]) == (429, "40", '"token";r=0;t=40')
    assert refused["RateLimit-Policy"] == '"token";q=2;w=60'
    assert "may make 2 calls a minute" in refused.json()["error"]


def test_it_has_no_limit_at_0(send: Any, queue: Queue, settings: LazySettings) -> None:
    settings.API_CALLS_PER_MINUTE = 0

    assert {send({}).status_code for _ in range(5)} == {400}
    assert AccessToken.objects.get().call_count == 0


def test_it_counts_a_call_by_one_statement(token: str, django_assert_num_queries: Any) -> None:
    access_token = AccessToken.objects.get()
    with django_assert_num_queries(1):
        assert tokens.count_call(access_token, 10) == 0


def test_it_counts_with_a_clock_that_is_behind(token: str) -> None:
    access_token = AccessToken.objects.get()
    with time_machine.travel(NOON, tick=False) as clock:
        delays = [tokens.count_call(access_token, 2)]
        clock.shift(-60)
        delays += [tokens.count_call(access_token, 2) for _ in range(2)]

    assert [bool(delay) for delay in delays] == [False, False, True]


@pytest.mark.django_db(transaction=True)
def test_it_counts_calls_of_several_processes(token: str) -> None:
    access_token = AccessToken.objects.get()

    def call_five_times() -> int:
        return [tokens.count_call(access_token, 7) for _ in range(5)].count(0)

    with time_machine.travel(NOON, tick=False):
        assert sum(run_concurrently([call_five_times] * 4)) == 7
