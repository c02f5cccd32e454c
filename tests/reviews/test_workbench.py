"""The item's page: what it shows, and the response to a submit."""

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
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.queries import MAX_NEIGHBOURS
from reviewapp.reviews.rail import load_rail, queue_position
from reviewapp.reviews.submitting import submit
from reviewapp.traces.models import Trace
from tests.factories import PatchFactory, QueueFactory, QueueItemFactory, SpanFactory, TraceFactory

HTMX = {"HX-Request": "true"}


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Make the database report a full disk; on SQLite it really has no free page."""
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
    """Make the database refuse writes, like a standby."""
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


def test_it_redirects_to_the_next_item(reviewer_client: Client, items: list[QueueItem]) -> None:
    response = reviewer_client.get("/p/support/queues/answers/review/")
    assert (response.status_code, response.url) == (302, url(items[0]))  # type: ignore[attr-defined]


def test_it_shows_why_the_item_is_here(reviewer_client: Client, queue: Queue) -> None:
    item = QueueItemFactory.create(queue=queue, reason="sampled <b>", reference="order 4471")
    page = reviewer_client.get(url(item)).text
    assert "sampled &lt;b&gt;" in page
    assert "order 4471" in page


def test_it_shows_who_added_an_item_without_a_reason(reviewer_client: Client, queue: Queue) -> None:
    item = QueueItemFactory.create(queue=queue, added_by="lena")
    assert "Added by lena, <time" in reviewer_client.get(url(item)).text


def test_it_hides_the_answers_of_another_queue_above_the_trace(
    reviewer: User, reviewer_client: Client, queue: Queue
) -> None:
    metadata = {"environment": "production", "plan": None}
    item = QueueItemFactory.create(queue=queue)
    trace = TraceFactory.create(project=queue.project, trace_id=item.trace_id, metadata=canonical_json.dumps(metadata))
    Trace.objects.filter(pk=trace.pk).update(spans_pulled_at=clock.now())
    other_queue = QueueFactory.create(project=queue.project, key_prefix="tone.")
    submit(
        QueueItemFactory.create(queue=other_queue, trace_id=item.trace_id),
        reviewer,
        Answers(None, "", False),
        version=0,
    )
    chips = (
        reviewer_client.get(f"/p/support/items/{item.pk}/")
        .text.partition('<div class="chips">')[2]
        .partition("</div>")[0]
    )
    assert "environment" in chips
    assert not any(key in chips for key in ("plan", "tone.reviewer", "tone.review_rev", "tone.score"))
    assert "tone.reviewer" in reviewer_client.get(f"/p/support/items/{item.pk}/?tab=metadata").text


def test_it_redirects_after_a_submit_without_javascript(reviewer_client: Client, items: list[QueueItem]) -> None:
    response = reviewer_client.post(url(items[0]), {"score": "1", "version": "0"})
    assert response.status_code == 302
    assert response.url == f"{url(items[1])}?after={items[0].pk}"  # type: ignore[attr-defined]


def test_it_returns_the_next_item_to_htmx(reviewer_client: Client, items: list[QueueItem]) -> None:
    response = reviewer_client.post(url(items[0]), {"score": "1", "version": "0"}, headers=HTMX)
    assert response["HX-Push-Url"].startswith(url(items[1]))
    assert response.text.lstrip().startswith('<div id="workbench"')


def test_it_refuses_an_invalid_score_and_shows_the_form_again(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(url(item), {"score": "2", "notes": "so <long>", "version": "0"})
    assert response.status_code == 422
    assert "so &lt;long&gt;" in response.text
    assert Review.objects.count() == 0


def test_it_shows_the_form_again_when_the_disk_is_full(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.get(url(item))
    with full_disk():
        response = reviewer_client.post(url(item), {"notes": "kept " * 3_000, "version": "0"}, headers=HTMX)
    assert response.status_code == 507
    assert "kept kept" in response.text
    assert "its disk may be full" in response.text
    assert not Review.objects.exists()
    assert reviewer_client.post(url(item), {"notes": "kept", "version": "0"}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_it_shows_the_form_again_when_the_database_is_read_only(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.raise_request_exception = False
    with read_only():
        response = reviewer_client.post(url(item), {"notes": "kept", "version": "0"})
        assert response.status_code == 507
        assert "kept" in response.text
        assert reviewer_client.get("/p/support/queues/answers/review/").status_code == 302
        assert reviewer_client.post(f"{url(item)}claim/").status_code == 507
    assert reviewer_client.post(url(item), {"notes": "kept", "version": "0"}).status_code == 302


def test_it_shows_both_reviews_on_a_conflict(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    colleague_client.post(url(item), {"notes": "theirs", "version": "0"})
    response = reviewer_client.post(url(item), {"notes": "mine", "version": "0"})
    page = response.text
    assert response.status_code == 409
    assert "theirs" in page
    assert "mine" in page
    assert 'name="version" value="1"' in page


def test_it_refuses_a_version_that_never_existed(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(url(item), {"notes": "mine", "version": "5"})
    assert response.status_code == 409
    assert "submit again" in response.text


def test_it_opens_a_reviewed_item_with_its_answers(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(url(item), {"score": "0.5", "notes": "first", "needs_review": "true", "version": "0"})
    page = reviewer_client.get(url(item)).text
    assert 'value="0.5"' in page
    assert "first</textarea>" in page
    assert "Submit new revision" in page


def test_it_is_read_only_when_a_colleague_has_the_item(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    colleague_client.post(f"{url(item)}claim/")
    page = reviewer_client.get(url(item)).text
    assert "colleague is reviewing this item now" in page


def test_it_skips_an_item(reviewer_client: Client, items: list[QueueItem]) -> None:
    response = reviewer_client.post(f"{url(items[0])}skip/")
    items[0].refresh_from_db()
    assert items[0].state == ItemState.SKIPPED
    assert response.url.startswith(url(items[1]))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State.WAITING, "waiting to be sent"),
        (State.SENDING, "being sent"),
        (State.CONFIRMED, "confirmed"),
        (State.PARKED, "parked"),
    ],
)
def test_it_shows_the_delivery_of_a_review(reviewer_client: Client, item: QueueItem, state: str, text: str) -> None:
    reviewer_client.post(url(item), {"score": "1", "version": "0"})
    Patch.objects.update(state=state)
    assert text in reviewer_client.get(f"{url(item)}delivery/", headers=HTMX).text


def test_it_refreshes_the_delivery_until_it_is_confirmed(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(url(item), {"score": "1", "version": "0"})
    assert "hx-trigger" in reviewer_client.get(f"{url(item)}delivery/", headers=HTMX).text
    Patch.objects.update(state=State.CONFIRMED)
    assert "hx-trigger" not in reviewer_client.get(f"{url(item)}delivery/", headers=HTMX).text


def test_it_shows_that_a_value_has_changed_in_laminar(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(url(item), {"score": "1", "version": "0"})
    Patch.objects.update(state=State.CONFIRMED, drifted_at=clock.now())
    assert "changed in Laminar" in reviewer_client.get(url(item)).text


def test_it_shows_the_newer_delivery_that_carries_the_review(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(url(item), {"score": "1", "version": "0"})
    newer = PatchFactory.create(project=item.queue.project, trace_id=item.trace_id, state=State.SENDING)
    Patch.objects.exclude(pk=newer.pk).update(state=State.SUPERSEDED, superseded_by=newer)
    text = reviewer_client.get(f"{url(item)}delivery/", headers=HTMX).text
    assert text.index("saved here") < text.index("carried by a newer delivery") < text.index("being sent")


def test_it_says_that_a_trace_is_not_pulled_yet(reviewer_client: Client, item: QueueItem) -> None:
    assert "This trace has not been pulled yet" in reviewer_client.get(url(item)).text
    assert reviewer_client.get(f"{url(item)}reading/?waiting=1", headers=HTMX).status_code == 204


def test_it_shows_a_trace_once_it_is_pulled(reviewer_client: Client, item: QueueItem) -> None:
    trace = TraceFactory.create(project=item.queue.project, trace_id=item.trace_id, spans_pulled_at="2026-11-22T10:00Z")
    SpanFactory.create(trace=trace)
    reading = reviewer_client.get(f"{url(item)}reading/?waiting=1", headers=HTMX).text
    assert "What is the capital of France?" in reading
    assert "Paris." in reading


@pytest.mark.parametrize("tab", ["transcript", "steps", "metadata", "nonsense"])
def test_it_opens_each_tab_of_the_trace(reviewer_client: Client, item: QueueItem, tab: str) -> None:
    assert reviewer_client.get(f"{url(item)}?tab={tab}").status_code == 200


def test_it_counts_the_position_of_an_item(items: list[QueueItem], queue: Queue) -> None:
    urgent = QueueItemFactory.create(queue=queue, priority=5)
    late = QueueItemFactory.create(queue=queue, priority=-5)
    assert [queue_position(item) for item in (urgent, *items, late)] == [1, 2, 3, 4, 5]


def test_it_shows_the_neighbours_of_an_item_in_order(queue: Queue, reviewer: User) -> None:
    items = QueueItemFactory.create_batch(MAX_NEIGHBOURS * 2 + 10, queue=queue)
    urgent = QueueItemFactory.create(queue=queue, priority=5)
    neighbours = [segment.pk for segment in load_rail(items[MAX_NEIGHBOURS + 3], reviewer)]
    assert neighbours == [item.pk for item in items[3 : 2 * MAX_NEIGHBOURS + 4]]
    assert [segment.pk for segment in load_rail(urgent, reviewer)][:2] == [urgent.pk, items[0].pk]


def test_it_shows_the_status_of_each_item_on_the_rail(
    reviewer_client: Client, colleague_client: Client, reviewer: User, items: list[QueueItem]
) -> None:
    reviewer_client.post(url(items[0]), {"notes": "x", "needs_review": "true", "version": "0"})
    colleague_client.post(f"{url(items[2])}claim/")
    assert [segment.status for segment in load_rail(items[1], reviewer)] == ["flagged", "to-come", "with-others"]


def test_it_needs_no_more_queries_for_a_longer_queue(
    reviewer_client: Client, queue: Queue, django_assert_max_num_queries: object
) -> None:
    items = QueueItemFactory.create_batch(60, queue=queue)
    reviewer_client.get(url(items[30]))
    with django_assert_max_num_queries(13):  # type: ignore[operator]
        reviewer_client.get(url(items[30]))


def test_it_shows_the_meaning_of_scores_and_answers(
    reviewer_client: Client, queue: Queue, items: list[QueueItem]
) -> None:
    polite = Criterion("polite", "Polite", "yes_no", options=(Option("no", "rude or cold"),))
    queue.criteria = criteria.dump_criteria([polite], [Option("1", "right & complete")])
    queue.save()
    scale = reviewer_client.get(url(items[0])).text
    Queue.objects.update(score_step=1)
    choices = reviewer_client.get(url(items[0])).text

    assert "<dt>1</dt><dd>right &amp; complete</dd>" in scale
    assert "<span>right &amp; complete" in choices
    assert "<span>Fail" in choices
    assert "<span>no <i>rude or cold</i>" in choices
