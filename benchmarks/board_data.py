"""Fill an empty database with reviews by SQL: `python -m benchmarks.board_data REVIEWS PEOPLE QUEUES`."""

import json
import sys
import time

import django

django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402 - models exist only after setup
from django.db import connection  # noqa: E402

from reviewapp.accounts.models import Membership, Project, User  # noqa: E402
from reviewapp.lib import sql  # noqa: E402
from reviewapp.queues.creating import create_queue  # noqa: E402
from reviewapp.queues.models import Queue  # noqa: E402
from reviewapp.reviews.counting import recount  # noqa: E402

PASSWORD = "a password for a benchmark"
# Reviews are this many seconds apart, until now: a million in 180 days. A queue is worked on for some days.
INTERVAL = 15.552
PENDING_PER_QUEUE = 100

# On each database: a row for each number, an id made of the number, and a time so many seconds ago.
DIALECTS = {
    "sqlite": {
        "numbers": "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count})"
        " SELECT n FROM c)",
        "uuid": "printf('%032x', n + {first})",
        "time": "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || ({seconds}) || ' seconds')",
    },
    "postgresql": {
        "numbers": "(SELECT n FROM generate_series(1, {count}) AS s(n))",
        "uuid": "lpad(to_hex(n + {first}), 32, '0')::uuid",
        "time": "now() - ({seconds}) * interval '1 second'",
    },
}
ITEMS = """
    INSERT INTO reviewapp_queueitem (id, queue_id, trace_id, state, priority, reason, reference, source, stratum,
        added_by, added_at, changed_at, completed_at, version, review_count, skipped_by, skip_reason, due_at)
    SELECT n + {first}, {queue}, {uuid}, '{state}', 0, '', '', 'api', '', 'bench', {time}, {time},
        {completed}, {version}, {version}, '', '', {due} FROM {numbers} AS numbers
"""
PATCHES = """
    INSERT INTO reviewapp_patch (id, project_id, trace_id, metadata, tags, source, state, created_at, due_at,
        accepted_at, confirmed_at)
    SELECT n, {project}, {uuid}, '{{}}', '[]', 'review by bench',
        CASE WHEN n % 5000 = 0 THEN 'parked' ELSE 'confirmed' END,
        {time}, {time}, {time}, CASE WHEN n % 5000 = 0 THEN NULL ELSE {confirmed} END FROM {numbers} AS numbers
"""
REVIEWS = """
    INSERT INTO reviewapp_review (id, item_id, revision, is_latest, reviewer_id, score, notes, needs_review, is_unsure,
        answers, rubric_version, keeps_notes_here, unpushed_keys, before, patch_id, submitted_at, active_seconds)
    SELECT n, n, 1, TRUE, {person} + (n * 7919) % {people}, ((n * 31) % 11) / 10.0, 'A note.', n % 9 = 0, n % 50 = 0,
        '{{}}', 1, FALSE, '[]', '{{}}', n, {time}, 20 + n % 90 FROM {numbers} AS numbers
"""


def create_board_data(reviews: int, people: int, queues: int) -> dict[str, object]:
    """Create a project whose queues follow each other in time. Returns the sign-in data, and how long counting took."""
    project = Project.objects.create(slug="bench", name="Bench", base_url="http://127.0.0.1:1")
    names = ["lead", *(f"reviewer-{number}" for number in range(people))]
    users = [User(username=name, username_key=name, password=make_password(PASSWORD)) for name in names[:1]]
    users += [User(username=name, username_key=name, password="!") for name in names[1:]]
    for user in users:
        user.save(force_insert=True)
        role = "lead" if user.username == "lead" else "reviewer"
        Membership.objects.create(project=project, user=user, role=role)
    made = [create_queue(project, f"queue-{n}", f"Queue {n}", "benchmark") for n in range(queues)]
    per_queue = reviews // queues
    for number, queue in enumerate(made):
        first = number * per_queue
        _insert(ITEMS, per_queue, first=first, queue=queue.pk, age=f"({reviews} - n - {first}) * {INTERVAL}",
                state="completed", version=1, completed="{time}", due="NULL")  # fmt: skip
        _insert(ITEMS, PENDING_PER_QUEUE, first=reviews + number * PENDING_PER_QUEUE, queue=queue.pk, age="n * 600",
                state="pending", version=0, completed="NULL", due="CASE WHEN n % 20 = 0 THEN {time} END")  # fmt: skip
    age = f"({reviews} - n) * {INTERVAL}"
    _insert(PATCHES, reviews, first=0, project=project.pk, age=age, confirmed_age=f"{age} - 5")
    _insert(REVIEWS, reviews, person=users[1].pk, people=people, age=age)
    _finish(reviews)
    started_at = time.perf_counter()
    Queue.objects.update(reviews_counted_at=None)
    for queue in Queue.objects.order_by("pk"):
        recount(queue)
    counted = time.perf_counter() - started_at
    _finish(reviews)
    return {"person": "lead", "password": PASSWORD, "count_s": round(counted, 1)}


def _insert(statement: str, count: int, **values: object) -> None:
    """Run a statement with a row for each number up to `count`; `age` is how many seconds ago its times are."""
    dialect = DIALECTS[connection.vendor]
    times = {"time": dialect["time"].format(seconds=values["age"]),
             "confirmed": dialect["time"].format(seconds=values.get("confirmed_age", "0"))}  # fmt: skip
    texts = {name: value.format(**times) if isinstance(value, str) else value for name, value in values.items()}
    uuid = dialect["uuid"].format(first=values.get("first", 0))
    sql.execute(
        statement.format(**texts, **times, uuid=uuid, numbers=dialect["numbers"].format(count=count)).replace("%", "%%")
    )


def _finish(reviews: int) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in ("review", "patch", "queueitem"):
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('reviewapp_{table}', 'id'), {2 * reviews})")
        # Autovacuum or an automatic checkpoint would do this some time after so many inserts.
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(create_board_data(*map(int, sys.argv[1:4]))))
