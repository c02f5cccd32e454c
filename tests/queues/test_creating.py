"""Making a queue, and the list of all of them."""

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
def make(project: Project, lead_client: Client) -> Any:
    return lambda slug, **changes: lead_client.post(f"{URL}new/", {**FIELDS, "slug": slug, **changes})


def test_it_makes_a_queue(make: Any, project: Project) -> None:
    response = make("tone", name="Tone", score_max="5", score_step="1")
    queue = Queue.objects.get()

    assert (response.status_code, response["Location"]) == (302, f"{URL}tone/")
    assert (queue.project, queue.slug, queue.name, queue.score_max) == (project, "tone", "Tone", Decimal(5))
    assert AuditEvent.objects.get().target == "queue:tone"


def test_it_begins_with_a_presets_scale(make: Any) -> None:
    make("tone", preset="1-5")
    queue = Queue.objects.get()

    assert (queue.score_min, queue.score_max, queue.score_step) == (Decimal(1), Decimal(5), Decimal(1))


def test_it_keeps_what_is_asked_as_the_first_version(make: Any) -> None:
    make("tone", question="Kind?")
    rubric = Queue.objects.get().rubrics.get()

    assert (rubric.version, rubric.made_by, "Kind?" in rubric.text) == (1, "lead", True)


def test_it_shows_the_defaults(lead_client: Client) -> None:
    assert 'value="0.01"' in lead_client.get(f"{URL}new/").content.decode()


@pytest.mark.parametrize("slug", ["", "Two Words", "-a", "a-", "ä", "a/b", "a_b", "x" * 63, "a\nb", "a\x00", ".."])
def test_it_refuses_an_address_that_cannot_be(make: Any, slug: str) -> None:
    response = make(slug)

    assert response.status_code == 422
    assert b'class="fault"' in response.content
    assert not Queue.objects.exists()


def test_it_refuses_an_address_that_is_taken(make: Any, queue: Queue) -> None:
    response = make("answers")

    assert response.status_code == 422
    assert "The project has a queue “answers” already." in response.content.decode()
    assert Queue.objects.count() == 1


def test_it_refuses_the_address_of_the_form_itself(make: Any) -> None:
    """`queues/new/` makes queues: a queue of that name could never be opened."""
    assert make("new").status_code == 422
    assert not Queue.objects.exists()


def test_it_takes_an_address_of_another_project(make: Any, other_project: Project) -> None:
    QueueFactory.create(project=other_project, slug="answers")

    assert make("answers").status_code == 302


def test_it_refuses_settings_that_cannot_be(make: Any) -> None:
    assert make("tone", score_step="0").status_code == 422
    assert not Queue.objects.exists()


@pytest.mark.parametrize(
    "changes", [{"score_key": "notes"}, {"score_key": "score\n"}, {"slug": "tone\n"}, {"name": ""}]
)
def test_it_refuses_bad_settings_without_a_form(project: Project, changes: dict[str, str]) -> None:
    given = {"slug": "tone", "name": "Tone", "actor": "command", **changes}
    with pytest.raises(ValidationError):
        create_queue(project, **given)

    assert not Queue.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_of_two_at_once() -> None:
    project = ProjectFactory.create()

    def make(name: str) -> str:
        try:
            return create_queue(project, "tone", name, "command").name
        except ValidationError as error:
            return " ".join(error.messages)

    told = run_concurrently([partial(make, name) for name in ("one", "two")])

    assert Queue.objects.get().name in told
    assert any("already" in text for text in told)


def test_it_lists_the_projects_queues(project: Project, other_project: Project, reviewer_client: Client) -> None:
    queue = QueueFactory.create(project=project, name="Tone <i>")
    QueueFactory.create(project=other_project, name="Hidden")
    for state, count in ((ItemState.PENDING, 1), (ItemState.COMPLETED, 2), (ItemState.SKIPPED, 1)):
        QueueItemFactory.create_batch(count, queue=queue, state=state)
    shown = reviewer_client.get(URL).content.decode()

    assert "Tone &lt;i&gt;" in shown
    assert "Hidden" not in shown
    assert 'max="100" value="75"' in shown


def test_it_says_that_there_is_none(reviewer_client: Client, lead_client: Client) -> None:
    assert "There is no queue yet. A lead makes one." in reviewer_client.get(URL).content.decode()
    assert "Make the first one" in lead_client.get(URL).content.decode()


def test_it_asks_the_database_as_often_for_many(project: Project, lead_client: Client) -> None:
    def more(count: int) -> None:
        for queue in QueueFactory.create_batch(count, project=project):
            QueueItemFactory.create(queue=queue)

    more(1)
    few = count_queries(lambda: lead_client.get(URL))
    more(12)

    assert count_queries(lambda: lead_client.get(URL)) == few
