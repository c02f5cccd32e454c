"""The start page, and a project's own: what there is to do, and how far it has come."""

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


def home(client: Client) -> str:
    response = client.get(URL)
    assert response.status_code == 200
    return response.content.decode()


def figure(shown: str, name: str) -> str:
    """The figure with this name, a link or not."""
    found = re.search(rf"<dt>{name}</dt>\s*<dd[^>]*>(?:<a[^>]*>)?([\d,]+)<", shown)
    assert found is not None
    return found[1]


def test_it_goes_straight_to_the_only_project(reviewer_client: Client) -> None:
    assert reviewer_client.get("/")["Location"] == URL


def test_it_lists_several_projects(reviewer: User, other_project: Project, reviewer_client: Client) -> None:
    MembershipFactory.create(project=other_project, user=reviewer, role="lead")
    shown = reviewer_client.get("/").content.decode()

    assert shown.index("Elsewhere") < shown.index("Support")
    assert "<td>lead</td>" in shown


def test_it_lists_only_ones_own(outsider_client: Client, reviewer: User) -> None:
    assert outsider_client.get("/")["Location"] == "/p/elsewhere/"


def test_it_tells_whoever_has_no_project(reviewer: User, reviewer_client: Client) -> None:
    reviewer.memberships.all().delete()

    assert "Ask an admin to add you as reviewer." in reviewer_client.get("/").content.decode()


def test_it_counts_reviews(queue: Queue, reviewer: User, colleague: User, reviewer_client: Client) -> None:
    for user, flagged in ((reviewer, True), (reviewer, False), (colleague, True)):
        ReviewFactory.create(item__queue=queue, reviewer=user, needs_review=flagged)
    shown = home(reviewer_client)

    assert (figure(shown, "Your reviews"), figure(shown, "Needs review")) == ("2", "2")


def test_it_counts_an_item_once(queue: Queue, reviewer: User, reviewer_client: Client) -> None:
    first = ReviewFactory.create(item__queue=queue, reviewer=reviewer, needs_review=True, is_latest=False)
    ReviewFactory.create(item=first.item, reviewer=reviewer, revision=2, patch=first.patch)
    shown = home(reviewer_client)

    assert (figure(shown, "Your reviews"), figure(shown, "Needs review")) == ("1", "0")


def test_it_counts_deliveries(project: Project, reviewer_client: Client) -> None:
    for state, count in (
        (State.WAITING, 2),
        (State.SENDING, 1),
        (State.ACCEPTED, 1),
        (State.CONFIRMED, 5),
        (State.PARKED, 3),
    ):
        PatchFactory.create_batch(count, project=project, state=state)
    shown = home(reviewer_client)

    assert figure(shown, "On the way to Laminar") == "4"
    assert figure(shown, "Confirmed there") == "5"
    assert figure(shown, "Parked") == "3"


def test_it_counts_traces_that_are_here(project: Project, reviewer_client: Client) -> None:
    TraceFactory.create_batch(2, project=project)
    TraceFactory.create(project=project, pulled_at=None)

    assert figure(home(reviewer_client), "Traces here") == "2"


def test_it_counts_nothing_of_another_project(reviewer_client: Client, other_project: Project) -> None:
    ReviewFactory.create(item__queue__project=other_project, needs_review=True, reviewer__username="other")
    TraceFactory.create(project=other_project)
    shown = home(reviewer_client)

    for name in ("Your reviews", "Needs review", "On the way to Laminar", "Confirmed there", "Parked", "Traces here"):
        assert figure(shown, name) == "0"


def test_it_says_that_there_is_no_key(project: Project, reviewer_client: Client) -> None:
    assert "The project has no Laminar key." in home(reviewer_client)

    LaminarKeyFactory.create(project=project)
    assert "The project has no Laminar key." not in home(reviewer_client)


def test_it_says_that_pushing_is_held_back(project: Project, reviewer_client: Client) -> None:
    breaker = Breaker.objects.create(
        project=project, open_until=timezone.now() + timedelta(hours=1), reason="The <key> is refused."
    )
    assert "Pushing is held back: The &lt;key&gt; is refused." in home(reviewer_client)

    Breaker.objects.filter(pk=breaker.pk).update(open_until=timezone.now())
    assert "held back" not in home(reviewer_client)


def test_it_asks_the_database_as_often_for_many(project: Project, reviewer: User, reviewer_client: Client) -> None:
    def more(count: int) -> None:
        for queue in QueueFactory.create_batch(count, project=project):
            QueueItemFactory.create(queue=queue)
            ReviewFactory.create(item__queue=queue, reviewer=reviewer)

    more(1)
    few = count_queries(lambda: home(reviewer_client))
    more(15)

    assert count_queries(lambda: home(reviewer_client)) == few


def test_it_links_to_the_flag_of_each_queue_by_its_own_key(reviewer_client: Client, queue: Queue) -> None:
    QueueFactory.create(project=queue.project, key_prefix="qa_")
    page = reviewer_client.get("/p/support/").content.decode()
    assert "?m=needs_review%3Dtrue" in page
    assert "?m=qa_needs_review%3Dtrue" in page


def test_it_counts_traces_no_further_than_a_list_does(project: Project, reviewer_client: Client) -> None:
    now = timezone.now()
    Trace.objects.bulk_create(
        Trace(project=project, trace_id=uuid4(), start_time=now, pulled_at=now) for _ in range(MAX_COUNT + 1)
    )
    assert ">1,000+</a>" in home(reviewer_client)
