"""Create a queue and its reviewers in an empty database: `python -m benchmarks.queue_data ITEMS PEOPLE [SPANS]`."""

import json
import random
import sys
from datetime import timedelta
from uuid import UUID

import django

django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402 - models exist only after setup
from django.db import transaction  # noqa: E402

from benchmarks.conversation_data import make_spans  # noqa: E402
from reviewapp.accounts.models import Membership, Project, User  # noqa: E402
from reviewapp.lib import canonical_json, clock  # noqa: E402
from reviewapp.queues.creating import create_queue  # noqa: E402
from reviewapp.queues.models import QueueItem  # noqa: E402
from reviewapp.traces.metadata.index import reindex  # noqa: E402
from reviewapp.traces.models import Span, Trace  # noqa: E402
from reviewapp.traces.reader.prepared import store  # noqa: E402
from reviewapp.traces.reader.transcript_html import prepare_transcript  # noqa: E402

PASSWORD = "a password for a benchmark"
WORDS = (
    "refund order status card policy store credit arrives within days customer asked again about the headset".split()
)
STEPS = (("agent", "DEFAULT"), ("retrieve", "TOOL"), ("draft", "LLM"), ("lookup_order", "TOOL"), ("answer", "LLM"))
BATCH = 500


def create_queue_data(items: int, people: int, spans: int = 0) -> dict[str, object]:
    """Create one queue of `items` pulled traces, and `people` reviewers. Returns the sign-in data.

    Each trace has 5 spans of 3 KB, or is a conversation of `spans` spans if not 0.
    """
    random.seed(7)
    project = Project.objects.create(slug="bench", name="Bench", base_url="http://127.0.0.1:1")
    names = [f"reviewer-{n}" for n in range(people)]
    users = User.objects.bulk_create(
        [User(username=name, username_key=name, password=make_password(PASSWORD)) for name in names]
    )
    Membership.objects.bulk_create([Membership(project=project, user=user, role="reviewer") for user in users])
    queue = create_queue(project, "answers", "Answers", "benchmark")
    for start in range(0, items, BATCH):
        traces = Trace.objects.bulk_create([_trace(project, start + n) for n in range(min(BATCH, items - start))])
        reindex(traces)
        with transaction.atomic():
            for trace in traces:
                Span.objects.bulk_create(_spans(trace, spans), batch_size=100)
                store(prepare_transcript(trace))
        QueueItem.objects.bulk_create(
            [QueueItem(queue=queue, trace_id=trace.trace_id, added_by="benchmark") for trace in traces]
        )
    return {"project": "bench", "queue": "answers", "people": [user.username for user in users], "password": PASSWORD}


def _trace(project: Project, number: int) -> Trace:
    start = clock.now() - timedelta(days=3) + timedelta(seconds=7 * number)
    values = {
        "environment": random.choice(["production", "staging"]),
        "region": random.choice(["us-west", "us-east", "eu-central"]),
        "feature_flag": random.choice(["baseline", "new-retriever"]),
        "customer_tier": random.choice(["free", "pro", "enterprise"]),
    }
    return Trace(
        project=project, trace_id=UUID(int=random.getrandbits(128)), name="support-agent", start_time=start,
        end_time=start + timedelta(seconds=6), status="success", total_tokens=3_912, total_cost=0.021, span_count=5,
        metadata=canonical_json.dumps(values), pulled_at=clock.now(), spans_pulled_at=clock.now(),
    )  # fmt: skip


def _spans(trace: Trace, count: int) -> list[Span]:
    if count:
        return make_spans(trace, count, _text)
    top_span_id = UUID(int=random.getrandbits(128))
    return [_span(trace, number, name, kind, top_span_id) for number, (name, kind) in enumerate(STEPS)]


def _span(trace: Trace, number: int, name: str, kind: str, top_span_id: UUID) -> Span:
    start = trace.start_time + timedelta(seconds=number) if trace.start_time else clock.now()
    question, answer = _text(2_048), _text(1_024)
    is_model = kind == "LLM"
    return Span(
        trace=trace, span_id=top_span_id if number == 0 else UUID(int=random.getrandbits(128)),
        parent_span_id=top_span_id if number else None, name=name, span_type=kind, status="success", start_time=start,
        end_time=start + timedelta(seconds=1), model="gpt-4o-mini" if is_model else "",
        input=json.dumps([{"role": "user", "content": question}]) if is_model else json.dumps({"query": question}),
        output=json.dumps([{"role": "assistant", "content": answer}]) if is_model else json.dumps({"found": answer}),
    )  # fmt: skip


def _text(size: int) -> str:
    words = random.choices(WORDS, k=size // 5)
    return " ".join(words)[:size]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(create_queue_data(*map(int, sys.argv[1:4]))))
