"""Queues of a project are distinct by name."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.queues.models import Queue
from tests.factories import QueueFactory

NEW = "/p/support/queues/new/"


def new_queue(name: str) -> dict[str, object]:
    return {
        "slug": "other", "name": name, "preset": "", "score_min": "0", "score_max": "1", "score_step": "0.5",
        "score_key": "score", "notes_key": "notes", "needs_review_key": "needs_review", "reviewer_key": "reviewer",
        "review_rev_key": "review_rev", "grace_seconds": "5",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ANSWERS", "The name “Answers” is taken."),
        ("Аnswers", "The name looks like “Answers”"),
        ("\u202eQA", "U+202E (right-to-left override) cannot be seen"),
    ],
)
def test_it_refuses_a_name(lead_client: Client, queue: Queue, name: str, sentence: str) -> None:
    response = lead_client.post(NEW, new_queue(name))

    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert Queue.objects.count() == 1


def test_it_accepts_the_name_of_another_projects_queue(
    lead_client: Client, queue: Queue, other_project: Project
) -> None:
    QueueFactory.create(project=other_project, name="Elsewhere")

    assert lead_client.post(NEW, new_queue("Elsewhere")).status_code == 302


def test_it_renames_a_queue(lead_client: Client, queue: Queue) -> None:
    lead_client.post("/p/support/queues/answers/settings/", new_queue("Replies"))

    assert (queue.project.queues.get().name, queue.project.queues.get().name_key) == ("Replies", "replies")


def test_it_refuses_to_rename_to_a_name_that_is_taken(lead_client: Client, queue: Queue) -> None:
    QueueFactory.create(project=queue.project, name="Replies")
    response = lead_client.post("/p/support/queues/answers/settings/", new_queue("replies"))

    assert response.status_code == 422
    assert "The name “Replies” is taken." in response.content.decode()
    assert Queue.objects.filter(name="Answers").exists()


def test_it_saves_other_settings_of_queues_that_had_the_same_name(lead_client: Client, queue: Queue) -> None:
    QueueFactory.create(project=queue.project, name="Answers", name_key="answers\n2")
    response = lead_client.post("/p/support/queues/answers/settings/", {**new_queue("Answers"), "grace_seconds": "7"})

    assert response.status_code == 302
    assert Queue.objects.get(slug="answers").grace_seconds == 7
