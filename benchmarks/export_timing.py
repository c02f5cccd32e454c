"""Create a queue of many reviews, or export it: `python -m benchmarks.export_timing create|FORMAT REVIEWS`."""

import json
import resource
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import django

django.setup()

from reviewapp.accounts.models import Project, User  # noqa: E402 - models exist only after setup
from reviewapp.insights.export_rows import ExportOptions, join_lines  # noqa: E402
from reviewapp.insights.exports import build_lines  # noqa: E402
from reviewapp.lib import canonical_json  # noqa: E402
from reviewapp.queues.creating import create_queue  # noqa: E402
from reviewapp.queues.models import ItemState, Queue, QueueItem  # noqa: E402
from reviewapp.queues.rubric.criteria import Criterion, Option, dump_criteria  # noqa: E402
from reviewapp.reviews.models import Review  # noqa: E402

BATCH = 5_000
PEOPLE = 10
CRITERIA = (
    Criterion("faults", "Faults", "choices", options=tuple(map(Option, ("wrong", "late", "rude, too", "=none")))),
    Criterion("tone", "Tone", "choice", options=(Option("kind"), Option("rude"))),
    Criterion("tags", "Tags", "tags"),
    Criterion("right", "Right", "yes_no"),
    Criterion("words", "Words", "number"),
    Criterion("why", "Why", "text"),
)
ANSWERS = {
    "faults": ["wrong", "rude, too"], "tone": "kind", "tags": ["refund", "order"], "right": True, "words": 17,
    "why": "The policy allows thirty days, the answer says fourteen.",
}  # fmt: skip
OPTIONS = {
    "csv": ExportOptions(),
    "csv-columns": ExportOptions(splits_choices=True, has_bom=True),
    "csv-items": ExportOptions(is_by_item=True),
    "jsonl": ExportOptions("jsonl"),
    "otel": ExportOptions("otel"),
    "dataset": ExportOptions("dataset"),
}


def create(count: int) -> None:
    """Create a queue with this many items, each with a review of one of PEOPLE."""
    project = Project.objects.create(slug="bench", name="Bench", base_url="http://127.0.0.1:1")
    queue = create_queue(project, "answers", "Answers", "benchmark")
    Queue.objects.filter(pk=queue.pk).update(criteria=dump_criteria(CRITERIA))
    names = [f"reviewer-{number}" for number in range(PEOPLE)]
    users = User.objects.bulk_create([User(username=name, username_key=name) for name in names])
    for start in range(0, count, BATCH):
        items = QueueItem.objects.bulk_create(_make_items(queue, start, min(BATCH, count - start)))
        Review.objects.bulk_create(_make_reviews(items, users))


def measure(name: str, count: int) -> dict[str, float]:
    """Returns the reviews per second, the MB written and the peak memory in MB."""
    queue, written = Queue.objects.get(slug="answers"), 0
    began = time.perf_counter()
    for piece in join_lines(build_lines(Review.objects.filter(item__queue=queue), queue, OPTIONS[name])):
        written += len(piece.encode())
    seconds = time.perf_counter() - began
    return {
        "reviews_per_s": round(count / seconds), "file_mb": round(written / 1e6),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def _make_items(queue: Queue, start: int, count: int) -> Iterator[QueueItem]:
    for number in range(start, start + count):
        trace_id = UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128)
        yield QueueItem(
            queue=queue, trace_id=trace_id, reference=f"order {number}", state=ItemState.COMPLETED, version=1,
            added_by="benchmark",
        )  # fmt: skip


def _make_reviews(items: list[QueueItem], users: list[User]) -> Iterator[Review]:
    answers = canonical_json.dumps(ANSWERS)
    for number, item in enumerate(items):
        yield Review(
            item=item, revision=1, reviewer=users[number % PEOPLE], score=Decimal("0.5"), answers=answers,
            notes="The answer was right, but it came late: the customer had asked twice before.",
        )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1] == "create":
        create(int(sys.argv[2]))
    else:
        sys.stdout.write(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
