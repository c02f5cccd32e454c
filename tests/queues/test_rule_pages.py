"""The lead's pages of rules: a list, a form with its dry run, a switch, and a question before deleting."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from reviewapp.audit.models import AuditEvent
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem, Rule
from reviewapp.queues.rules import dry_run
from tests.factories import QueueItemFactory, RuleFactory, TraceFactory
from tests.queries import count_queries

URL = "/p/support/queues/answers/rules/"
SAID = {
    "name": "bad answers", "pairs": "environment=production\r\nscore=0", "percent": "20", "rest_percent": "0",
    "daily_cap": "", "priority": "3", "salt": "0123456789abcdef",
}  # fmt: skip


@pytest.fixture
def make(lead_client: Client, queue: Queue) -> Any:
    """Send the form of a new rule, and follow to the page that comes."""
    return lambda **said: lead_client.post(f"{URL}new/", {**SAID, **said}, follow=True)


@pytest.fixture
def rule(queue: Queue) -> Rule:
    return RuleFactory.create(queue=queue, name="production", added_count=3)


def shown(client: Client, url: str = URL, **query: Any) -> str:
    return client.get(url, query).content.decode()


def test_it_makes_a_rule(make: Any, queue: Queue) -> None:
    assert "The rule “bad answers” is made." in make().content.decode()
    rule = Rule.objects.get()

    assert [str(pair) for pair in rule.conditions] == ["environment=production", "score=0"]
    assert (rule.queue, str(rule.percent), rule.daily_cap, rule.priority) == (queue, "20.00", None, 3)
    assert rule.made_by == "lead"
    assert clock.now() - rule.scanned_until < timedelta(minutes=1)
    assert AuditEvent.objects.get().verb == "made rule"


def test_it_makes_one_that_looks_back(make: Any) -> None:
    make(since="week")

    assert clock.now() - Rule.objects.get().scanned_until > timedelta(days=6.9)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"name": ""}, "This field is required."),
        ({"pairs": "environment"}, "“environment” is not a condition: write it as key=value."),
        ({"pairs": "a=\x00"}, "Null characters are not allowed."),
        ({"pairs": "\n".join(f"k{n}=1" for n in range(13))}, "A view takes 12 conditions at most."),
        ({"percent": "101"}, "Give a share from 0 to 100 per cent."),
        ({"percent": "0.001"}, "no more than 2 decimal places"),
        ({"percent": "NaN"}, "Enter a number."),
        ({"percent": "0"}, "Both shares are 0: this rule would take nothing."),
        ({"pairs": "", "rest_percent": "1"}, "Without a pair there are no other traces"),
        ({"daily_cap": "0"}, "greater than or equal to 1"),
        ({"daily_cap": "9" * 30}, "less than or equal to 1000000"),
        ({"salt": "mine"}, "A draw is named"),
        ({"since": "ever"}, "Select a valid choice."),
    ],
)
def test_it_refuses_what_cannot_be(make: Any, said: dict[str, str], told: str) -> None:
    response = make(**said)

    assert response.status_code == 422
    assert told in response.content.decode()
    assert not Rule.objects.exists()


def test_it_keeps_what_was_typed(make: Any) -> None:
    told = make(percent="many", pairs="a=<b>").content.decode()

    assert 'value="many"' in told
    assert "a=&lt;b&gt;</textarea>" in told


def test_it_begins_with_a_view(lead_client: Client, queue: Queue) -> None:
    told = shown(lead_client, f"{URL}new/", m=["environment=production", "a=b=c", "text=two\nlines"])

    assert "environment=production\na=b=c\ntext=&quot;two\\nlines&quot;</textarea>" in told


def test_it_says_that_a_views_time_range_is_left_out(lead_client: Client, queue: Queue) -> None:
    words = "The view's time range is left out"

    assert words in shown(lead_client, f"{URL}new/", m="a=1", to="2026-11-01T00:00:00+00:00")
    assert words not in shown(lead_client, f"{URL}new/", m="a=1")


def test_it_tells_of_a_view_that_cannot_be_read(lead_client: Client, queue: Queue) -> None:
    assert "“nothing” is not a condition" in shown(lead_client, f"{URL}new/", m="nothing")


def test_a_view_leads_to_the_choice_of_a_queue(lead_client: Client, reviewer_client: Client, queue: Queue) -> None:
    view = "m=environment%3Dproduction"
    begin = f"/p/support/queues/new/rule/?{view}"

    assert f'href="{begin}"' in shown(lead_client, f"/p/support/traces/?{view}")
    assert begin not in shown(reviewer_client, f"/p/support/traces/?{view}")
    assert f'href="{URL}new/?{view}"' in shown(lead_client, begin)


class TestTrying:
    """A dry run, by the button or while one types: figures and examples, and nothing written."""

    @pytest.fixture(autouse=True)
    def traces(self, queue: Queue) -> None:
        for days in (0, 1, 1, 9):
            TraceFactory.create(
                project=queue.project, metadata='{"environment":"production","score":0}',
                start_time=clock.now() - timedelta(days=days), name=f"from {days} days ago",
            )  # fmt: skip
        TraceFactory.create(project=queue.project, start_time=clock.now(), name="another")

    def test_it_counts_and_links(self, make: Any) -> None:
        told = make(act="try", percent="100").content.decode()

        assert "<b>3</b> hold all pairs. The rule would have drawn <b>3</b>." in told
        assert told.count("from 1 days ago") == 2
        assert "from 9 days ago" not in told
        assert "another" not in told
        assert not Rule.objects.exists()
        assert not QueueItem.objects.exists()

    def test_it_counts_the_cap_by_day(self, make: Any) -> None:
        told = make(act="try", percent="100", daily_cap="1").content.decode()

        assert "drawn <b>3</b> and taken <b>2</b> under its cap" in told

    def test_it_draws_from_the_rest(self, make: Any) -> None:
        told = make(act="try", percent="0", rest_percent="100").content.decode()

        assert "drawn <b>1</b>" in told
        assert "one of the others" in told

    def test_both_shares_are_of_the_same_time(self, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of the others fewer days are looked at than of the traces that match, which are rare."""
        monkeypatch.setattr(dry_run, "MAX_TRACES", 3)
        others = TraceFactory.create_batch(3, project=queue.project, start_time=clock.now())
        pairs = '[["environment","production"]]'
        found = dry_run.dry_run_rule(Rule(queue=queue, pairs=pairs, percent=Decimal(100), rest_percent=Decimal(100)))

        assert (found.is_cut, found.since) == (True, min(trace.start_time for trace in others if trace.start_time))
        assert (found.matching, found.sampled, len(found.days)) == (0, 3, 1)

    def test_it_is_a_part_of_the_page_for_htmx(self, lead_client: Client) -> None:
        said = {**SAID, "act": "try"}
        told = lead_client.post(f"{URL}new/", said, headers={"HX-Request": "true"}).content.decode()

        assert "<form" not in told
        assert "<b>3</b> hold all pairs" in told

    def test_it_says_what_is_wrong(self, lead_client: Client) -> None:
        said = {**SAID, "act": "try", "percent": "0"}
        response = lead_client.post(f"{URL}new/", said, headers={"HX-Request": "true"})

        assert response.status_code == 422
        assert "Both shares are 0" in response.content.decode()


def test_it_lists_rules(lead_client: Client, rule: Rule) -> None:
    Rule.objects.update(percent="2.50", rest_percent=1, daily_cap=1_000, added_that_day=2, last_added_at=clock.now())
    told = shown(lead_client)

    assert "2.5 % of" in told
    assert "and 1 % of the rest" in told
    assert '<td class="num" data-label="a day at most">1,000</td>' in told
    assert '<td class="num" data-label="today">2</td>' in told
    assert '<td class="num" data-label="in all">3</td>' in told


def test_it_tells_of_a_fault(lead_client: Client, rule: Rule) -> None:
    Rule.objects.update(fault="It could not be applied.")

    assert "It could not be applied." in shown(lead_client)


def test_it_asks_the_database_as_often_for_many(lead_client: Client, queue: Queue) -> None:
    RuleFactory.create(queue=queue)
    few = count_queries(lambda: shown(lead_client))
    RuleFactory.create_batch(5, queue=queue)

    assert count_queries(lambda: shown(lead_client)) == few


def test_it_changes_a_rule(lead_client: Client, rule: Rule) -> None:
    lead_client.post(f"{URL}{rule.pk}/", {**SAID, "name": "<b>new"})
    changed = Rule.objects.get()

    assert (changed.name, str(changed.percent), changed.added_count) == ("<b>new", "20.00", 3)
    assert (changed.salt, changed.scanned_until) == (rule.salt, rule.scanned_until)
    assert AuditEvent.objects.get().verb == "changed rule"
    assert "&lt;b&gt;new" in shown(lead_client)


def test_a_save_that_changes_nothing_is_not_recorded(lead_client: Client, rule: Rule) -> None:
    said = {"name": "production", "pairs": "environment=production", "percent": 100, "rest_percent": 0, "priority": 0}
    lead_client.post(f"{URL}{rule.pk}/", said)

    assert not AuditEvent.objects.exists()


def test_it_is_turned_off_and_on(lead_client: Client, rule: Rule) -> None:
    for to in ("off", "on"):
        lead_client.post(f"{URL}{rule.pk}/switch/", {"to": to})
        assert Rule.objects.get().is_on == (to == "on")

    assert list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True)) == [
        "turned off rule", "turned on rule",
    ]  # fmt: skip


def test_it_asks_before_it_deletes(lead_client: Client, rule: Rule) -> None:
    item = QueueItemFactory.create(queue=rule.queue, rule=rule)
    assert "The 3 items it put into Answers stay" in shown(lead_client, f"{URL}{rule.pk}/delete/")
    assert Rule.objects.exists()

    lead_client.post(f"{URL}{rule.pk}/delete/")
    item.refresh_from_db()
    assert (Rule.objects.exists(), item.rule, AuditEvent.objects.get().verb) == (False, None, "deleted rule")


def test_it_knows_a_rule_in_its_own_queue_only(lead_client: Client, queue: Queue) -> None:
    other = RuleFactory.create(queue__project=queue.project)

    assert lead_client.get(f"{URL}{other.pk}/").status_code == 404
