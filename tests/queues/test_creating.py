"""Create a queue, and the list of queues."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.queues.creating import create_queue
from reviewapp.queues.models import ItemState, Queue
from tests.factories import ProjectFactory, QueueFactory, QueueItemFactory
from tests.queries import count_queries
from tests.queues.test_settings import FIELDS
from tests.threads import run_concurrently

URL = "/p/support/queues/"


@pytest.fixture
def create(project: Project, lead_client: Client) -> Any:
    return lambda slug, **changes: lead_client.post(f"{URL}new/", {**FIELDS, "slug": slug, **changes})


def test_it_creates_a_queue(create: Any, project: Project) -> None:
    response = create("tone", name="Tone", score_max="5", score_step="1")
    queue = Queue.objects.get()

    assert (response.status_code, response["Location"]) == (302, f"{URL}tone/")
    assert (queue.project, queue.slug, queue.name, queue.score_max) == (project, "tone", "Tone", Decimal(5))
    assert AuditEvent.objects.get().target == "queue:tone"


def test_it_uses_a_presets_scale(create: Any) -> None:
    create("tone", preset="1-5")
    queue = Queue.objects.get()

    assert (queue.score_min, queue.score_max, queue.score_step) == (Decimal(1), Decimal(5), Decimal(1))


def test_it_stores_the_first_rubric_version(create: Any) -> None:
    create("tone", question="Kind?")
    rubric = Queue.objects.get().rubrics.get()

    assert (rubric.version, rubric.made_by, "Kind?" in rubric.text) == (1, "lead", True)


def test_it_shows_the_defaults(lead_client: Client) -> None:
    assert 'value="0.01"' in lead_client.get(f"{URL}new/").text


@pytest.mark.parametrize("slug", ["", "Two Words", "-a", "a-", "ä", "a/b", "a_b", "x" * 63, "a\nb", "a\x00", ".."])
def test_it_refuses_an_invalid_address(create: Any, slug: str) -> None:
    response = create(slug)

    assert response.status_code == 422
    assert b'class="fault"' in response.content
    assert not Queue.objects.exists()


def test_it_refuses_an_address_that_is_taken(create: Any, queue: Queue) -> None:
    response = create("answers")

    assert response.status_code == 422
    assert "The project already has a queue “answers”." in response.text
    assert Queue.objects.count() == 1


def test_it_refuses_the_address_of_the_form_itself(create: Any) -> None:
    """`queues/new/` is the form, so a queue with that address could not be opened."""
    assert create("new").status_code == 422
    assert not Queue.objects.exists()


def test_it_accepts_an_address_used_in_another_project(create: Any, other_project: Project) -> None:
    QueueFactory.create(project=other_project, slug="answers")

    assert create("answers").status_code == 302


def test_it_refuses_invalid_settings(create: Any) -> None:
    assert create("tone", score_step="0").status_code == 422
    assert not Queue.objects.exists()


@pytest.mark.parametrize(
    "changes", [{"score_key": "notes"}, {"score_key": "score\n"}, {"slug": "tone\n"}, {"name": ""}]
)
def test_it_refuses_invalid_settings_without_a_form(project: Project, changes: dict[str, str]) -> None:
    fields = {"slug": "tone", "name": "Tone", "actor": "command", **changes}
    with pytest.raises(ValidationError):
        create_queue(project, **fields)

    assert not Queue.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_creates_one_of_two_concurrent_queues() -> None:
    project = ProjectFactory.create()

    def create(name: str) -> str:
        try:
            return create_queue(project, "tone", name, "command").name
        except ValidationError as error:
            return " ".join(error.messages)

    results = run_concurrently([partial(create, name) for name in ("one", "two")])

    assert Queue.objects.get().name in results
    assert any("already" in result for result in results)


def test_it_lists_the_projects_queues(project: Project, other_project: Project, reviewer_client: Client) -> None:
    queue = QueueFactory.create(project=project, name="Tone <i>")
    QueueFactory.create(project=other_project, name="Hidden")
    for state, count in ((ItemState.PENDING, 1), (ItemState.COMPLETED, 2), (ItemState.SKIPPED, 1)):
        QueueItemFactory.create_batch(count, queue=queue, state=state)
    page = reviewer_client.get(URL).text

    assert "Tone &lt;i&gt;" in page
    assert "Hidden" not in page
    assert 'max="100" value="75"' in page


def test_it_shows_that_there_are_no_queues(reviewer_client: Client, lead_client: Client) -> None:
    for client in (reviewer_client, lead_client):
        assert "There are no queues yet." in client.get(URL).text
    assert "A lead can create one." in reviewer_client.get(URL).text
    assert f'<a href="{URL}new/">Create a queue</a>' in lead_client.get(URL).text


def test_it_needs_no_more_queries_for_many_queues(project: Project, lead_client: Client) -> None:
    def add_queues(count: int) -> None:
        for queue in QueueFactory.create_batch(count, project=project):
            QueueItemFactory.create(queue=queue)

    add_queues(1)
    query_count = count_queries(lambda: lead_client.get(URL))
    add_queues(12)

    assert count_queries(lambda: lead_client.get(URL)) == query_count
