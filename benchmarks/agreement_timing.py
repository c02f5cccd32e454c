"""Create a queue of several reviewers and time its agreement page; run by `benchmarks.agreement`."""

import json
import sys
import time
from decimal import Decimal
from random import Random
from uuid import uuid4

import django

django.setup()

from django.test import Client  # noqa: E402

from reviewapp.accounts.models import Membership, Project, Role, User  # noqa: E402
from reviewapp.lib import canonical_json  # noqa: E402
from reviewapp.queues.models import ItemState, Queue, QueueItem  # noqa: E402
from reviewapp.queues.rubric.criteria import Criterion, Option, dump_criteria  # noqa: E402
from reviewapp.reviews.models import Review  # noqa: E402

ITEMS, PEOPLE, RUNS = 10_000, 10, 5
OPTIONS = ("good", "fair", "poor")
CRITERIA = [
    Criterion("right", "Right", "yes_no"),
    Criterion("tone", "Tone", "choice", options=tuple(map(Option, OPTIONS))),
    Criterion("faults", "Faults", "choices", options=tuple(map(Option, OPTIONS))),
    Criterion("effort", "Effort", "number", low=Decimal(1), high=Decimal(5), step=Decimal(1)),
]


def main() -> None:
    random = Random(1)
    project = Project.objects.create(slug="bench", name="Bench", base_url="https://laminar.test")
    people = [User.objects.create(username=f"person-{n}", username_key=f"person-{n}") for n in range(PEOPLE)]
    Membership.objects.create(project=project, user=people[0], role=Role.LEAD)
    queue = Queue.objects.create(
        project=project, slug="double", name="Double", reviewers_per_item=2, criteria=dump_criteria(CRITERIA)
    )
    items = [
        QueueItem(queue=queue, trace_id=uuid4(), state=ItemState.COMPLETED, version=2, review_count=2, added_by="bench")
        for _ in range(ITEMS)
    ]
    QueueItem.objects.bulk_create(items, batch_size=500)
    reviews = [
        Review(
            item=item, revision=revision, reviewer=person, score=Decimal(random.randrange(101)) / 100,
            answers=_make_answers(random),
        )
        for item in items
        for revision, person in enumerate(random.sample(people, 2), 1)
    ]  # fmt: skip
    Review.objects.bulk_create(reviews, batch_size=500)
    client = Client()
    client.force_login(people[0])
    seconds = [_time_page(client) for _ in range(RUNS)]
    sys.stdout.write(json.dumps({"items": ITEMS, "answers": len(reviews) * 5, "seconds": seconds}))


def _make_answers(random: Random) -> str:
    return canonical_json.dumps({
        "right": random.random() < 0.8, "tone": random.choice(OPTIONS),
        "faults": [option for option in OPTIONS if random.random() < 0.4] or ["good"], "effort": random.randint(1, 5),
    })  # fmt: skip


def _time_page(client: Client) -> float:
    started = time.perf_counter()
    response = client.get("/p/bench/queues/double/agreement/", headers={"host": "localhost"})
    assert response.status_code == 200, response.status_code
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
