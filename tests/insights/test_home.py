"""The list of projects, and a project's home page with its figures."""

import re
from datetime import timedelta
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from reviewapp.accounts.models import Project, User
from reviewapp.delivery.models import Breaker, State
from reviewapp.queues.models import Queue
from reviewapp.traces.metadata.index import MAX_COUNT
from reviewapp.traces.models import Trace
from tests.factories import (
    LaminarKeyFactory,
    MembershipFactory,
    PatchFactory,
    QueueFactory,
    QueueItemFactory,
    ReviewFactory,
    TraceFactory,
)
from tests.queries import count_queries

URL = "/p/support/"


def get_home(client: Client) -> str:
    response = client.get(URL)
    assert response.status_code == 200
    return response.text


def get_figure(page: str, name: str) -> str:
    """The figure with this label, a link or not."""
    match = re.search(rf"<dt>{name}</dt>\s*<dd[^>]*>(?:<a[^>]*>)?([\d,]+)<", page)
    assert match is not None
    return match[1]


def test_it_redirects_to_the_only_project(reviewer_client: Client) -> None:
    assert reviewer_client.get("/")["Location"] == URL


def test_it_lists_several_projects(reviewer: User, other_project: Project, reviewer_client: Client) -> None:
    MembershipFactory.create(project=other_project, user=reviewer, role="lead")
    page = reviewer_client.get("/").text

    assert page.index("Elsewhere") < page.index("Support")
    assert "<td>lead</td>" in page


def test_it_lists_only_ones_own_projects(outsider_client: Client, reviewer: User) -> None:
    assert outsider_client.get("/")["Location"] == "/p/elsewhere/"


def test_it_tells_a_person_without_a_project_what_to_do(reviewer: User, reviewer_client: Client) -> None:
    reviewer.memberships.all().delete()

    assert "Ask an admin to add you as reviewer." in reviewer_client.get("/").text


def test_it_counts_reviews(queue: Queue, reviewer: User, colleague: User, reviewer_client: Client) -> None:
    for user, flagged in ((reviewer, True), (reviewer, False), (colleague, True)):
        ReviewFactory.create(item__queue=queue, reviewer=user, needs_review=flagged)
    page = get_home(reviewer_client)

    assert (get_figure(page, "Your reviews"), get_figure(page, "Needs review")) == ("2", "2")


def test_it_counts_an_item_with_two_revisions_once(queue: Queue, reviewer: User, reviewer_client: Client) -> None:
    first = ReviewFactory.create(item__queue=queue, reviewer=reviewer, needs_review=True, is_latest=False)
    ReviewFactory.create(item=first.item, reviewer=reviewer, revision=2, patch=first.patch)
    page = get_home(reviewer_client)

    assert (get_figure(page, "Your reviews"), get_figure(page, "Needs review")) == ("1", "0")


def test_it_counts_deliveries(project: Project, reviewer_client: Client) -> None:
    for state, count in (
        (State.WAITING, 2),
        (State.SENDING, 1),
        (State.ACCEPTED, 1),
        (State.CONFIRMED, 5),
        (State.PARKED, 3),
    ):
        PatchFactory.create_batch(count, project=project, state=state)
    page = get_home(reviewer_client)

    assert get_figure(page, "Delivering") == "4"
    assert get_figure(page, "Confirmed") == "5"
    assert get_figure(page, "Parked") == "3"


def test_it_counts_only_pulled_traces(project: Project, reviewer_client: Client) -> None:
    TraceFactory.create_batch(2, project=project)
    TraceFactory.create(project=project, pulled_at=None)

    assert get_figure(get_home(reviewer_client), "Traces") == "2"


def test_it_counts_nothing_of_another_project(reviewer_client: Client, other_project: Project) -> None:
    ReviewFactory.create(item__queue__project=other_project, needs_review=True, reviewer__username="other")
    TraceFactory.create(project=other_project)
    page = get_home(reviewer_client)

    for name in ("Your reviews", "Needs review", "Delivering", "Confirmed", "Parked", "Traces"):
        assert get_figure(page, name) == "0"


def test_it_warns_about_a_missing_key(project: Project, reviewer_client: Client) -> None:
    assert "This project has no Laminar key." in get_home(reviewer_client)

    LaminarKeyFactory.create(project=project)
    assert "This project has no Laminar key." not in get_home(reviewer_client)


def test_it_warns_while_pushes_are_stopped(project: Project, reviewer_client: Client) -> None:
    breaker = Breaker.objects.create(
        project=project, open_until=timezone.now() + timedelta(hours=1), reason="The <key> is refused."
    )
    assert "Pushing to Laminar has stopped for now. The &lt;key&gt; is refused." in get_home(reviewer_client)

    Breaker.objects.filter(pk=breaker.pk).update(open_until=timezone.now())
    assert "Pushes to Laminar are stopped" not in get_home(reviewer_client)


def test_it_needs_no_more_queries_for_more_queues(project: Project, reviewer: User, reviewer_client: Client) -> None:
    def create_queues(count: int) -> None:
        for queue in QueueFactory.create_batch(count, project=project):
            QueueItemFactory.create(queue=queue)
            ReviewFactory.create(item__queue=queue, reviewer=reviewer)

    create_queues(1)
    query_count = count_queries(lambda: get_home(reviewer_client))
    create_queues(15)

    assert count_queries(lambda: get_home(reviewer_client)) == query_count


def test_it_links_to_flagged_traces_by_the_key_of_each_queue(reviewer_client: Client, queue: Queue) -> None:
    QueueFactory.create(project=queue.project, key_prefix="qa_")
    page = reviewer_client.get("/p/support/").text
    assert "?m=needs_review%3Dtrue" in page
    assert "?m=qa_needs_review%3Dtrue" in page


def test_it_stops_counting_traces_at_1000(project: Project, reviewer_client: Client) -> None:
    now = timezone.now()
    Trace.objects.bulk_create(
        Trace(project=project, trace_id=uuid4(), start_time=now, pulled_at=now) for _ in range(MAX_COUNT + 1)
    )
    assert ">1,000+</a>" in get_home(reviewer_client)
