"""The item's page: what it shows, and how an answer is answered."""

import contextlib
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import canonical_json, clock
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.queues.rubric import criteria
from reviewapp.queues.rubric.criteria import Criterion, Option
from reviewapp.reviews.models import Review
from reviewapp.reviews.rail import MAX_NEIGHBOURS, load_rail, queue_position
from reviewapp.reviews.submitting import Answers, submit
from reviewapp.traces.models import Trace
from tests.factories import PatchFactory, QueueFactory, QueueItemFactory, SpanFactory, TraceFactory

HTMX = {"HX-Request": "true"}


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """The database says, and means on SQLite, that no page more fits on its disk."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA page_count")
            cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")
            yield
            cursor.execute("PRAGMA max_page_count = 1073741823")
        else:
            cursor.execute(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
            )
            cursor.execute("CREATE TRIGGER full_disk BEFORE INSERT ON reviewapp_patch EXECUTE FUNCTION full_disk()")
            yield
            cursor.execute("DROP TRIGGER full_disk ON reviewapp_patch")


@contextlib.contextmanager
def read_only() -> Iterator[None]:
    """The database takes no writes, as one that stands by for another."""
    with connection.cursor() as cursor:
        is_sqlite = connection.vendor == "sqlite"
        cursor.execute("PRAGMA query_only = 1" if is_sqlite else "SET default_transaction_read_only = on")
        try:
            yield
        finally:
            cursor.execute("PRAGMA query_only = 0" if is_sqlite else "SET default_transaction_read_only = off")


@pytest.fixture
def items(queue: Queue) -> list[QueueItem]:
    return QueueItemFactory.create_batch(3, queue=queue)


def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


def test_it_opens_the_next_item(reviewer_client: Client, items: list[QueueItem]) -> None:
    answer = reviewer_client.get("/p/support/queues/answers/review/")
    assert (answer.status_code, answer.url) == (302, url(items[0]))  # type: ignore[attr-defined]


def test_it_shows_why_the_item_is_here(reviewer_client: Client, queue: Queue) -> None:
    item = QueueItemFactory.create(queue=queue, reason="sampled <b>", reference="order 4471")
    page = reviewer_client.get(url(item)).content.decode()
    assert "sampled &lt;b&gt;" in page
    assert "order 4471" in page


def test_it_shows_who_added_an_item_without_a_reason(reviewer_client: Client, queue: Queue) -> None:
    item = QueueItemFactory.create(queue=queue, added_by="lena")
    assert "Added by lena, <time" in reviewer_client.get(url(item)).text


def test_what_another_queue_said_does_not_stand_above_the_trace(
    reviewer: User, reviewer_client: Client, queue: Queue
) -> None:
    own = {"environment": "production", "plan": None}
    item = QueueItemFactory.create(queue=queue)
    trace = TraceFactory.create(project=queue.project, trace_id=item.trace_id, metadata=canonical_json.dumps(own))
    Trace.objects.filter(pk=trace.pk).update(spans_pulled_at=clock.now())
    other = QueueFactory.create(project=queue.project, key_prefix="tone.")
    submit(QueueItemFactory.create(queue=other, trace_id=item.trace_id), reviewer, Answers(None, "", False), version=0)
    chips = (
        reviewer_client.get(f"/p/support/items/{item.pk}/")
        .text.partition('<div class="chips">')[2]
        .partition("</div>")[0]
    )
    assert "environment" in chips
    assert not any(word in chips for word in ("plan", "tone.reviewer", "tone.review_rev", "tone.score"))
    assert "tone.reviewer" in reviewer_client.get(f"/p/support/items/{item.pk}/?tab=metadata").text


def test_it_goes_on_to_the_next_item_without_javascript(reviewer_client: Client, items: list[QueueItem]) -> None:
    answer = reviewer_client.post(url(items[0]), {"score": "1", "version": "0"})
    assert answer.status_code == 302
    assert answer.url == f"{url(items[1])}?after={items[0].pk}"  # type: ignore[attr-defined]


def test_it_answers_htmx_with_the_next_item_itself(reviewer_client: Client, items: list[QueueItem]) -> None:
    answer = reviewer_client.post(url(items[0]), {"score": "1", "version": "0"}, headers=HTMX)
    assert answer["HX-Push-Url"].startswith(url(items[1]))
    assert answer.content.decode().lstrip().startswith('<div id="workbench"')


def test_it_keeps_what_was_typed_when_it_refuses(reviewer_client: Client, item: QueueItem) -> None:
    answer = reviewer_client.post(url(item), {"score": "2", "notes": "so <long>", "version": "0"})
    assert answer.status_code == 422
    assert "so &lt;long&gt;" in answer.content.decode()
    assert Review.objects.count() == 0


def test_it_keeps_what_was_typed_when_the_disk_is_full(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.get(url(item))
    with full_disk():
        answer = reviewer_client.post(url(item), {"notes": "kept " * 3_000, "version": "0"}, headers=HTMX)
    assert answer.status_code == 507
    assert "kept kept" in answer.content.decode()
    assert "its disk may be full" in answer.content.decode()
    assert not Review.objects.exists()
    assert reviewer_client.post(url(item), {"notes": "kept", "version": "0"}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_it_keeps_what_was_typed_when_the_database_takes_no_writes(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.raise_request_exception = False
    with read_only():
        answer = reviewer_client.post(url(item), {"notes": "kept", "version": "0"})
        assert answer.status_code == 507
        assert "kept" in answer.content.decode()
        assert reviewer_client.get("/p/support/queues/answers/review/").status_code == 507
    assert reviewer_client.post(url(item), {"notes": "kept", "version": "0"}).status_code == 302


def test_it_shows_both_texts_on_a_conflict(reviewer_client: Client, colleague_client: Client, item: QueueItem) -> None:
    colleague_client.post(url(item), {"notes": "theirs", "version": "0"})
    answer = reviewer_client.post(url(item), {"notes": "mine", "version": "0"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "theirs" in page
    assert "mine" in page
    assert 'name="version" value="1"' in page


def test_it_says_what_to_do_about_a_version_that_never_was(reviewer_client: Client, item: QueueItem) -> None:
    answer = reviewer_client.post(url(item), {"notes": "mine", "version": "5"})
    assert answer.status_code == 409
    assert "submit again" in answer.content.decode()


def test_it_reopens_a_reviewed_item_with_its_answers(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(url(item), {"score": "0.5", "notes": "first", "needs_review": "true", "version": "0"})
    page = reviewer_client.get(url(item)).content.decode()
    assert 'value="0.5"' in page
    assert "first</textarea>" in page
    assert "Submit a new revision" in page


def test_it_lets_others_read_a_claimed_item_only(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    colleague_client.get(url(item))
    page = reviewer_client.get(url(item)).content.decode()
    assert "colleague is reviewing this item now" in page


def test_it_skips_an_item(reviewer_client: Client, items: list[QueueItem]) -> None:
    answer = reviewer_client.post(f"{url(items[0])}skip/")
    items[0].refresh_from_db()
    assert items[0].state == ItemState.SKIPPED
    assert answer.url.startswith(url(items[1]))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.WAITING, "waiting to be sent"),
        (State.SENDING, "being sent"),
        (State.CONFIRMED, "confirmed"),
        (State.PARKED, "parked"),
    ],
)
def test_it_shows_the_way_of_a_review(reviewer_client: Client, item: QueueItem, state: str, words: str) -> None:
    reviewer_client.post(url(item), {"score": "1", "version": "0"})
    Patch.objects.update(state=state)
    assert words in reviewer_client.get(f"{url(item)}delivery/", headers=HTMX).content.decode()


def test_it_asks_again_only_while_the_review_is_on_its_way(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(url(item), {"score": "1", "version": "0"})
    assert "hx-trigger" in reviewer_client.get(f"{url(item)}delivery/", headers=HTMX).content.decode()
    Patch.objects.update(state=State.CONFIRMED)
    assert "hx-trigger" not in reviewer_client.get(f"{url(item)}delivery/", headers=HTMX).content.decode()


def test_it_says_that_others_have_changed_a_value_since(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(url(item), {"score": "1", "version": "0"})
    Patch.objects.update(state=State.CONFIRMED, drifted_at=clock.now())
    assert "changed in Laminar since" in reviewer_client.get(url(item)).text


def test_it_tells_where_a_newer_delivery_carries_the_review(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(url(item), {"score": "1", "version": "0"})
    newer = PatchFactory.create(project=item.queue.project, trace_id=item.trace_id, state=State.SENDING)
    Patch.objects.exclude(pk=newer.pk).update(state=State.SUPERSEDED, superseded_by=newer)
    text = reviewer_client.get(f"{url(item)}delivery/", headers=HTMX).text
    assert text.index("saved here") < text.index("carried by a newer delivery") < text.index("being sent")


def test_it_says_that_a_trace_has_not_come(reviewer_client: Client, item: QueueItem) -> None:
    assert "This trace is not here yet" in reviewer_client.get(url(item)).content.decode()
    assert reviewer_client.get(f"{url(item)}reading/?waiting=1", headers=HTMX).status_code == 204


def test_it_shows_a_trace_that_has_come(reviewer_client: Client, item: QueueItem) -> None:
    trace = TraceFactory.create(project=item.queue.project, trace_id=item.trace_id, spans_pulled_at="2026-11-22T10:00Z")
    SpanFactory.create(trace=trace)
    reading = reviewer_client.get(f"{url(item)}reading/?waiting=1", headers=HTMX).content.decode()
    assert "What is the capital of France?" in reading
    assert "Paris." in reading


@pytest.mark.parametrize("tab", ["transcript", "steps", "metadata", "nonsense"])
def test_it_has_a_tab_for_each_way_to_read(reviewer_client: Client, item: QueueItem, tab: str) -> None:
    assert reviewer_client.get(f"{url(item)}?tab={tab}").status_code == 200


def test_it_knows_where_an_item_stands(items: list[QueueItem], queue: Queue) -> None:
    urgent = QueueItemFactory.create(queue=queue, priority=5)
    late = QueueItemFactory.create(queue=queue, priority=-5)
    assert [queue_position(item) for item in (urgent, *items, late)] == [1, 2, 3, 4, 5]


def test_it_shows_the_neighbourhood_of_an_item_in_order(queue: Queue, reviewer: User) -> None:
    many = QueueItemFactory.create_batch(MAX_NEIGHBOURS * 2 + 10, queue=queue)
    urgent = QueueItemFactory.create(queue=queue, priority=5)
    shown = [segment.pk for segment in load_rail(many[MAX_NEIGHBOURS + 3], reviewer)]
    assert shown == [item.pk for item in many[3 : 2 * MAX_NEIGHBOURS + 4]]
    assert [segment.pk for segment in load_rail(urgent, reviewer)][:2] == [urgent.pk, many[0].pk]


def test_it_colours_each_segment_by_what_has_become_of_it(
    reviewer_client: Client, colleague_client: Client, reviewer: User, items: list[QueueItem]
) -> None:
    reviewer_client.post(url(items[0]), {"notes": "x", "needs_review": "true", "version": "0"})
    colleague_client.get(url(items[2]))
    assert [segment.status for segment in load_rail(items[1], reviewer)] == ["flagged", "to-come", "with-others"]


def test_it_asks_the_database_as_often_for_a_long_queue(
    reviewer_client: Client, queue: Queue, django_assert_max_num_queries: object
) -> None:
    items = QueueItemFactory.create_batch(60, queue=queue)
    reviewer_client.get(url(items[30]))
    with django_assert_max_num_queries(13):  # type: ignore[operator]
        reviewer_client.get(url(items[30]))


def test_it_shows_what_scores_and_answers_mean(reviewer_client: Client, queue: Queue, items: list[QueueItem]) -> None:
    polite = Criterion("polite", "Polite", "yes_no", options=(Option("no", "rude or cold"),))
    queue.criteria = criteria.dump_criteria([polite], [Option("1", "right & complete")])
    queue.save()
    scale = reviewer_client.get(url(items[0])).text
    Queue.objects.update(score_step=1)
    choices = reviewer_client.get(url(items[0])).text

    assert "<dt>1</dt><dd>right &amp; complete</dd>" in scale
    assert "<span>1 <i>right &amp; complete</i></span>" in choices
    assert "<span>no <i>rude or cold</i></span>" in choices
