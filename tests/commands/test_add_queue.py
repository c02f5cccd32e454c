"""`manage.py add_queue`."""

import pytest
from django.core.management.base import CommandError

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.management.command_actor import get_command_actor
from reviewapp.queues.models import Queue
from tests.commands.runner import run_command, run_command_json


def test_it_creates_a_queue(project: Project) -> None:
    output = run_command("add_queue", "tone", "--project=support", "--name=Tone of voice")
    queue = Queue.objects.get()

    assert output == "Created queue tone in support."
    assert (queue.project, queue.slug, queue.name) == (project, "tone", "Tone of voice")
    assert (str(queue.score_min), str(queue.score_max)) == ("0.0000", "1.0000")
    assert AuditEvent.objects.get().actor_name == get_command_actor()


def test_it_uses_a_preset(project: Project) -> None:
    run_command("add_queue", "tone", "--project=support", "--preset=pass-fail")
    queue = Queue.objects.get()

    assert [str(choice) for choice in queue.score_choices] == ["0", "1"]
    assert queue.question == "Does it pass? 1 is pass, 0 is fail."


def test_it_refuses_an_unknown_preset(project: Project) -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        run_command("add_queue", "tone", "--project=support", "--preset=stars")


def test_it_prints_json(project: Project) -> None:
    result = run_command_json("add_queue", "tone", "--project=support")

    assert result == {"queue": "tone", "project": "support", "name": "tone"}


@pytest.mark.parametrize("slug", ["Two Words", "", "a/b", "new", "tone\n"])
def test_it_refuses_an_invalid_slug(project: Project, slug: str) -> None:
    with pytest.raises(CommandError, match=r"\. Nothing was changed\."):
        run_command("add_queue", slug, "--project=support")

    assert not Queue.objects.exists()


def test_it_refuses_a_slug_that_is_taken(queue: Queue) -> None:
    with pytest.raises(CommandError, match="already has a queue “answers”"):
        run_command("add_queue", "answers", "--project=support")

    assert Queue.objects.count() == 1


@pytest.mark.django_db
def test_it_refuses_an_unknown_project() -> None:
    with pytest.raises(CommandError, match="There is no project “nowhere”"):
        run_command("add_queue", "tone", "--project=nowhere")
