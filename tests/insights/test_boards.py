"""What leads watch: each number links to exactly the rows that it counts."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.delivery.models import Patch, State
from reviewapp.insights import board_views
from reviewapp.insights.figures import FIGURES
from reviewapp.lib import clock
from reviewapp.queues.models import ItemState, Queue
from reviewapp.reviews.count_models import ReviewCount
from tests.factories import MembershipFactory, QueueFactory, QueueItemFactory, ReviewFactory, UserFactory
from tests.queries import count_queries

HOME, QUEUE = "/p/support/", "/p/support/queues/answers/figures/"
LINE = re.compile(r'<dt title="[^"]*">([^<]+)</dt>\s*<dd[^>]*><a href="([^"]+)" title="([^"]*)">([^<]*)</a>')
PERSON = re.compile(r'data-label="[^"]+"><a href="([^"]+figures/[^"]+)">([\d,]+)</a>')
SCORE = re.compile(r'<a class="chip" href="([^"]+)"><span>([^<]+)</span> <b>([\d,]+)</b>')


@pytest.fixture
def work(queue: Queue, reviewer: User, colleague: User) -> Queue:
    """Two queues with items and reviews of every kind."""
    now = clock.now()
    other = QueueFactory.create(project=queue.project, slug="other")
    for each, count in ((queue, 2), (other, 3)):
        QueueItemFactory.create_batch(count, queue=each, due_at=now - timedelta(hours=1))
        QueueItemFactory.create(queue=each, claimed_by=reviewer, claimed_until=now + timedelta(minutes=5))
        QueueItemFactory.create(queue=each, claimed_by=reviewer, claimed_until=now - timedelta(minutes=5))
        QueueItemFactory.create(queue=each, state=ItemState.SKIPPED, due_at=now - timedelta(hours=1))
        for number in range(4 * count):
            ReviewFactory.create(
                item__queue=each, reviewer=(reviewer, colleague)[number % 2], submitted_at=now - timedelta(days=number),
                score=Decimal(number % 3), needs_review=number % 3 == 0, is_unsure=number % 5 == 0,
                active_seconds=None if number % 4 else 10 * number, patch__created_at=now - timedelta(seconds=9),
                patch__state=State.PARKED if number % 6 == 5 else State.CONFIRMED, patch__confirmed_at=now,
            )  # fmt: skip
    return queue


def get_page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.text


def count_rows(client: Client, url: str) -> int:
    """The number of rows of the list at this address, as it says and as it lists them."""
    page = get_page(client, unescape(url))
    said = int(re.findall(r"<b>([\d,]+)</b> row", page)[0].replace(",", ""))
    assert said == page.count('<a class="row"')
    return said


@pytest.mark.parametrize("url", [HOME, QUEUE])
def test_each_number_links_to_the_rows_it_counts(lead_client: Client, work: Queue, url: str) -> None:
    page = get_page(lead_client, url)
    lines = LINE.findall(page)
    numbers = {label: (href, text) for label, href, _, text in lines if re.fullmatch(r"[\d,]+", text)}

    assert {"To do", "In work", "Late", "Reviews", "Needs review", "Unsure", "Parked"} <= numbers.keys()
    for label, (href, text) in numbers.items():
        assert (label, count_rows(lead_client, href)) == (label, int(text))
        assert int(text) > 0


@pytest.mark.parametrize("url", [HOME, QUEUE])
def test_each_persons_numbers_link_to_their_reviews(lead_client: Client, work: Queue, url: str) -> None:
    numbers = PERSON.findall(get_page(lead_client, url))

    assert len(numbers) == 4
    for href, text in numbers:
        assert count_rows(lead_client, href) == int(text)


def test_each_score_links_to_its_reviews(lead_client: Client, work: Queue) -> None:
    scores = SCORE.findall(get_page(lead_client, QUEUE))

    assert [label for _, label, _ in scores] == ["0", "1", "2"]
    for href, _, text in scores:
        assert count_rows(lead_client, href) == int(text)


def test_many_scores_are_counted_in_ranges(lead_client: Client, queue: Queue, reviewer: User) -> None:
    for number in range(30):
        ReviewFactory.create(item__queue=queue, reviewer=reviewer, score=Decimal(number) / 100)
    scores = SCORE.findall(get_page(lead_client, QUEUE))

    assert len(scores) == 10
    assert sum(int(text) for *_, text in scores) == 30
    for href, _, text in scores:
        assert count_rows(lead_client, href) == int(text)


@pytest.mark.parametrize(
    ("name", "meaning"), [("timed", r"measured in (\d+) reviews"), ("delivered", r"(\d+) deliver")]
)
def test_a_mean_links_to_the_rows_it_is_of(lead_client: Client, work: Queue, name: str, meaning: str) -> None:
    for page in (get_page(lead_client, HOME), get_page(lead_client, QUEUE)):
        [(href, count)] = [
            (href, re.findall(meaning, hint)[0]) for _, href, hint, _ in LINE.findall(page) if f"/{name}/" in href
        ]
        assert count_rows(lead_client, href) == int(count) > 0


def test_it_shows_times_and_shares(lead_client: Client, queue: Queue, reviewer: User) -> None:
    for seconds, flagged in ((10, True), (20, False), (None, False), (None, False)):
        ReviewFactory.create(item__queue=queue, reviewer=reviewer, active_seconds=seconds, needs_review=flagged)
    now = clock.now()
    Patch.objects.update(state=State.CONFIRMED, created_at=now - timedelta(seconds=4), confirmed_at=now)
    texts = {label: text for label, _, _, text in LINE.findall(get_page(lead_client, QUEUE))}

    assert (texts["Flagged share"], texts["Active time per item"]) == ("25.0%", "15 s")
    assert texts["Delivery lag p50 · p95"] == "4.0 s · 4.0 s"


def test_it_shows_dashes_without_reviews(lead_client: Client, queue: Queue) -> None:
    page = get_page(lead_client, QUEUE)
    texts = {label: text for label, _, _, text in LINE.findall(page)}

    assert {texts[name] for name in ("Flagged share", "Active time per item", "Delivery lag p50 · p95")} == {"–"}
    assert "Nobody has submitted a review in the last 7 days." in page


def test_it_shows_the_oldest_item(lead_client: Client, queue: Queue) -> None:
    for days in (9, 3):
        QueueItemFactory.create(queue=queue, added_at=clock.now() - timedelta(days=days))
    [(href, text)] = [(href, text) for label, href, _, text in LINE.findall(get_page(lead_client, QUEUE))
                      if label == "Oldest"]  # fmt: skip

    assert text == "9 d"
    assert lead_client.get(href).status_code == 200


def test_it_says_that_it_is_counting(lead_client: Client, queue: Queue) -> None:
    notice = '<p class="notice" hidden>Counting'
    assert notice in get_page(lead_client, QUEUE)

    Queue.objects.update(reviews_counted_at=None)
    assert all(
        "Counting" in page and notice not in page for page in (get_page(lead_client, url) for url in (QUEUE, HOME))
    )


def test_it_shows_a_reviewer_nothing_of_colleagues(reviewer_client: Client, work: Queue) -> None:
    page = get_page(reviewer_client, HOME)

    assert "colleague" not in page
    assert "Active time" not in page
    assert reviewer_client.get(QUEUE).status_code == 403


def test_it_ranks_nobody_by_time(lead_client: Client, work: Queue) -> None:
    page = get_page(lead_client, QUEUE)

    assert page.index(">colleague<") < page.index(">reviewer<")
    assert page.count("Active time") == 1


@pytest.mark.parametrize("url", [HOME, QUEUE, f"{QUEUE}?summary"])
def test_it_returns_only_the_figures_to_htmx(lead_client: Client, work: Queue, url: str) -> None:
    text = lead_client.get(url, headers={"HX-Request": "true"}).text.strip()

    assert text.startswith("<section")
    assert text.endswith("</section>")
    assert f'data-refresh="{url}"' in text


def test_it_counts_nothing_of_another_project(lead_client: Client, queue: Queue, other_project: Project) -> None:
    ReviewFactory.create(item__queue__project=other_project, needs_review=True, active_seconds=5)
    QueueItemFactory.create(queue__project=other_project)

    for figure in FIGURES:
        assert count_rows(lead_client, f"/p/support/figures/{figure}/") == 0
    texts = {text for _, _, _, text in LINE.findall(get_page(lead_client, HOME))}
    assert texts == {"0", "–"}


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("query", ["", "person=nobody", "person=%00", "from=x&to=-", "page=99", "from=1&to=0"])
def test_it_lists_the_rows_of_any_query(lead_client: Client, work: Queue, figure: str, query: str) -> None:
    get_page(lead_client, f"/p/support/figures/{figure}/?queue=answers&{query}")


def test_it_refuses_an_unknown_queue(lead_client: Client, queue: Queue) -> None:
    assert lead_client.get("/p/support/figures/to-do/?queue=none").status_code == 404


def test_it_stops_counting_rows(lead_client: Client, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_views, "MAX_COUNT", 3)
    QueueItemFactory.create_batch(4, queue=queue)

    assert "<b>3+</b> rows." in get_page(lead_client, "/p/support/figures/to-do/")


@pytest.mark.parametrize("url", [HOME, QUEUE, "/p/support/queues/", "/p/support/figures/reviews/"])
def test_it_needs_no_more_queries_for_more_rows(lead_client: Client, work: Queue, url: str) -> None:
    query_count = count_queries(lambda: get_page(lead_client, url))
    for queue in [work, *QueueFactory.create_batch(5, project=work.project)]:
        QueueItemFactory.create(queue=queue)
        for _ in range(3):
            user = UserFactory.create()
            MembershipFactory.create(project=work.project, user=user)
            ReviewFactory.create(item__queue=queue, reviewer=user, active_seconds=3)

    assert count_queries(lambda: get_page(lead_client, url)) == query_count


def test_it_needs_the_counters_only(lead_client: Client, work: Queue) -> None:
    ReviewCount.objects.all().delete()
    texts = {label: text for label, _, _, text in LINE.findall(get_page(lead_client, HOME))}

    assert (texts["Reviews"], texts["Needs review"]) == ("0", "0")
