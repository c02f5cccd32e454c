"""The pages of rules: the list, the form with its dry run, turning on and off, and deleting."""

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
FORM_DATA = {
    "name": "bad answers", "pairs": "environment=production\r\nscore=0", "percent": "20", "rest_percent": "0",
    "daily_cap": "", "priority": "3", "salt": "0123456789abcdef",
}  # fmt: skip


@pytest.fixture
def create(lead_client: Client, queue: Queue) -> Any:
    """Post the form of a new rule and follow the redirect."""
    return lambda **fields: lead_client.post(f"{URL}new/", {**FORM_DATA, **fields}, follow=True)


@pytest.fixture
def rule(queue: Queue) -> Rule:
    return RuleFactory.create(queue=queue, name="production", added_count=3)


def get_page(client: Client, url: str = URL, **query: Any) -> str:
    return client.get(url, query).text


def test_it_creates_a_rule(create: Any, queue: Queue) -> None:
    assert "Rule “bad answers” created." in create().text
    rule = Rule.objects.get()

    assert [str(pair) for pair in rule.conditions] == ["environment=production", "score=0"]
    assert (rule.queue, str(rule.percent), rule.daily_cap, rule.priority) == (queue, "20.00", None, 3)
    assert rule.made_by == "lead"
    assert clock.now() - rule.scanned_until < timedelta(minutes=1)
    assert AuditEvent.objects.get().verb == "created rule"


def test_it_creates_a_rule_for_recent_traces(create: Any) -> None:
    create(since="week")

    assert clock.now() - Rule.objects.get().scanned_until > timedelta(days=6.9)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "This field is required."),
        ({"pairs": "environment"}, "“environment” is not a condition. Write it as key=value."),
        ({"pairs": "a=\x00"}, "Null characters are not allowed."),
        ({"pairs": "\n".join(f"k{n}=1" for n in range(13))}, "A view can have at most 12 conditions."),
        ({"percent": "101"}, "Give a share from 0 to 100 per cent."),
        ({"percent": "0.001"}, "no more than 2 decimal places"),
        ({"percent": "NaN"}, "Enter a number."),
        ({"percent": "0"}, "Both percentages are 0, so this rule would add no traces."),
        ({"pairs": "", "rest_percent": "1"}, "Without conditions there are no other traces."),
        ({"daily_cap": "0"}, "greater than or equal to 1"),
        ({"daily_cap": "9" * 30}, "less than or equal to 1000000"),
        ({"salt": "mine"}, "A draw is named"),
        ({"since": "ever"}, "Select a valid choice."),
    ],
)
def test_it_refuses_invalid_values(create: Any, fields: dict[str, str], message: str) -> None:
    response = create(**fields)

    assert response.status_code == 422
    assert message in response.text
    assert not Rule.objects.exists()


def test_it_keeps_typed_values(create: Any) -> None:
    page = create(percent="many", pairs="a=<b>").text

    assert 'value="many"' in page
    assert "a=&lt;b&gt;</textarea>" in page


def test_it_starts_from_a_view(lead_client: Client, queue: Queue) -> None:
    page = get_page(lead_client, f"{URL}new/", m=["environment=production", "a=b=c", "text=two\nlines"])

    assert "environment=production\na=b=c\ntext=&quot;two\\nlines&quot;</textarea>" in page


def test_it_warns_that_a_views_time_range_was_not_copied(lead_client: Client, queue: Queue) -> None:
    warning = "The view's time range was not copied."

    assert warning in get_page(lead_client, f"{URL}new/", m="a=1", to="2026-11-01T00:00:00+00:00")
    assert warning not in get_page(lead_client, f"{URL}new/", m="a=1")


def test_it_refuses_an_invalid_view(lead_client: Client, queue: Queue) -> None:
    assert "“nothing” is not a condition" in get_page(lead_client, f"{URL}new/", m="nothing")


def test_it_offers_the_choice_of_a_queue_for_a_view(lead_client: Client, reviewer_client: Client, queue: Queue) -> None:
    view = "m=environment%3Dproduction"
    choice_url = f"/p/support/queues/new/rule/?{view}"

    assert f'href="{choice_url}"' in get_page(lead_client, f"/p/support/traces/?{view}")
    assert choice_url not in get_page(reviewer_client, f"/p/support/traces/?{view}")
    assert f'href="{URL}new/?{view}"' in get_page(lead_client, choice_url)


class TestDryRun:
    """The dry run, by its button or while typing: counts and examples, and nothing written."""

    @pytest.fixture(autouse=True)
    def traces(self, queue: Queue) -> None:
        for days in (0, 1, 1, 9):
            TraceFactory.create(
                project=queue.project, metadata='{"environment":"production","score":0}',
                start_time=clock.now() - timedelta(days=days), name=f"from {days} days ago",
            )  # fmt: skip
        TraceFactory.create(project=queue.project, start_time=clock.now(), name="another")

    def test_it_counts_and_links(self, create: Any) -> None:
        response = create(act="try", percent="100")

        assert get_counts(response) == (3, 3, 3)
        assert "<b>3</b> match all conditions." in response.text
        assert "The rule would have sampled <b>3</b>." in response.text
        assert response.text.count("from 1 days ago") == 2
        assert "from 9 days ago" not in response.text
        assert "another" not in response.text
        assert not Rule.objects.exists()
        assert not QueueItem.objects.exists()

    def test_it_applies_the_cap_to_each_day(self, create: Any) -> None:
        response = create(act="try", percent="100", daily_cap="1")

        assert get_counts(response) == (3, 3, 2)
        assert "and added <b>2</b> within its daily limit" in response.text

    def test_it_samples_other_traces(self, create: Any) -> None:
        response = create(act="try", percent="0", rest_percent="100")

        assert get_counts(response) == (3, 1, 1)
        assert "<td>other trace</td>" in response.text

    def test_it_samples_both_shares_from_the_same_time(self, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
        """The other traces reach back fewer days than the matching ones, which are rare."""
        monkeypatch.setattr(dry_run, "MAX_TRACES", 3)
        others = TraceFactory.create_batch(3, project=queue.project, start_time=clock.now())
        pairs = '[["environment","production"]]'
        result = dry_run.dry_run_rule(Rule(queue=queue, pairs=pairs, percent=Decimal(100), rest_percent=Decimal(100)))

        assert (result.is_cut, result.since) == (True, min(trace.start_time for trace in others if trace.start_time))
        assert (result.matching, result.sampled, len(result.days)) == (0, 3, 1)

    def test_it_renders_a_fragment_for_htmx(self, lead_client: Client) -> None:
        data = {**FORM_DATA, "act": "try"}
        page = lead_client.post(f"{URL}new/", data, headers={"HX-Request": "true"}).text

        assert "<form" not in page
        assert "<b>3</b> match all conditions" in page

    def test_it_shows_errors(self, lead_client: Client) -> None:
        data = {**FORM_DATA, "act": "try", "percent": "0"}
        response = lead_client.post(f"{URL}new/", data, headers={"HX-Request": "true"})

        assert response.status_code == 422
        assert "Both percentages are 0" in response.text


def get_counts(response: Any) -> tuple[int, int, int]:
    result = response.context["dry_run"]
    return result.matching, result.sampled, result.added


def test_it_lists_rules(lead_client: Client, rule: Rule) -> None:
    Rule.objects.update(percent="2.50", rest_percent=1, daily_cap=1_000, added_that_day=2, last_added_at=clock.now())
    page = get_page(lead_client)

    assert "2.5% of" in page
    assert "and 1% of all other traces" in page
    assert '<td class="num" data-label="daily limit">1,000</td>' in page
    assert '<td class="num" data-label="today">2</td>' in page
    assert '<td class="num" data-label="total">3</td>' in page


def test_it_shows_a_failure(lead_client: Client, rule: Rule) -> None:
    Rule.objects.update(fault="It could not be applied.")

    assert "It could not be applied." in get_page(lead_client)


def test_it_needs_no_more_queries_for_many_rules(lead_client: Client, queue: Queue) -> None:
    RuleFactory.create(queue=queue)
    query_count = count_queries(lambda: get_page(lead_client))
    RuleFactory.create_batch(5, queue=queue)

    assert count_queries(lambda: get_page(lead_client)) == query_count


def test_it_changes_a_rule(lead_client: Client, rule: Rule) -> None:
    lead_client.post(f"{URL}{rule.pk}/", {**FORM_DATA, "name": "<b>new"})
    changed = Rule.objects.get()

    assert (changed.name, str(changed.percent), changed.added_count) == ("<b>new", "20.00", 3)
    assert (changed.salt, changed.scanned_until) == (rule.salt, rule.scanned_until)
    assert AuditEvent.objects.get().verb == "changed rule"
    assert "&lt;b&gt;new" in get_page(lead_client)


def test_it_records_no_save_without_changes(lead_client: Client, rule: Rule) -> None:
    data = {"name": "production", "pairs": "environment=production", "percent": 100, "rest_percent": 0, "priority": 0}
    lead_client.post(f"{URL}{rule.pk}/", data)

    assert not AuditEvent.objects.exists()


def test_it_turns_a_rule_off_and_on(lead_client: Client, rule: Rule) -> None:
    for state in ("off", "on"):
        lead_client.post(f"{URL}{rule.pk}/switch/", {"to": state})
        assert Rule.objects.get().is_on == (state == "on")

    assert list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True)) == [
        "turned off rule", "turned on rule",
    ]  # fmt: skip


def test_it_asks_for_confirmation_before_deleting(lead_client: Client, rule: Rule) -> None:
    item = QueueItemFactory.create(queue=rule.queue, rule=rule)
    page = " ".join(get_page(lead_client, f"{URL}{rule.pk}/delete/").split())
    assert "The 3 items it added to Answers stay in the queue" in page
    assert Rule.objects.exists()

    lead_client.post(f"{URL}{rule.pk}/delete/")
    item.refresh_from_db()
    assert (Rule.objects.exists(), item.rule, AuditEvent.objects.get().verb) == (False, None, "deleted rule")


def test_it_refuses_a_rule_of_another_queue(lead_client: Client, queue: Queue) -> None:
    other = RuleFactory.create(queue__project=queue.project)

    assert lead_client.get(f"{URL}{other.pk}/").status_code == 404
