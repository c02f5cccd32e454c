"""`manage.py recount`."""

from reviewapp.queues.models import Queue
from reviewapp.reviews.count_models import ReviewCount
from tests.commands.runner import run_command
from tests.factories import QueueFactory, ReviewFactory


def test_it_repairs_the_counters_of_all_queues(queue: Queue) -> None:
    ReviewFactory.create(item__queue=queue)
    QueueFactory.create()
    ReviewCount.objects.update(reviews=7)

    assert run_command("recount") == "Recounted 2 queues; repaired the counters of 1."
    assert set(ReviewCount.objects.values_list("reviews", flat=True)) == {1}


def test_it_recounts_the_queues_of_one_project(queue: Queue) -> None:
    QueueFactory.create()

    assert run_command("recount", "--project=support") == "Recounted 1 queue; repaired the counters of 0."
