"""Seed a new demo: traces through the store's ingest endpoint, a project, three people, three queues."""

import hashlib
import hmac
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password

from reviewapp.accounts.models import Project, Role, User
from reviewapp.accounts.people import add_person, new_password
from reviewapp.demo import otlp, sample_traces
from reviewapp.demo.sample_traces import DemoTrace
from reviewapp.keys import laminar_keys, tokens
from reviewapp.keys.models import AccessToken
from reviewapp.lib import clock
from reviewapp.queues import adding
from reviewapp.queues.adding import Entry
from reviewapp.queues.creating import create_queue
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import criteria
from reviewapp.queues.rubric.criteria import Criterion, Option

PROJECT_SLUG = "demo"
QUEUE_SLUG = "answers"
PEOPLE = {"rosa": Role.REVIEWER, "lena": Role.LEAD, "adam": Role.ADMIN}
BATCH = 20
_LEVELS = (Option("poor"), Option("fair"), Option("good"))
_FAULTS = ("invented fact", "left out a step", "wrong tone", "needless question")
SEVEN_CRITERIA = (
    Criterion(
        "correct", "Correct", "yes_no", "Agrees with what the tools returned.", is_required=True, asks_reason=True
    ),
    Criterion("complete", "Complete", "choice", "Answers all that was asked.", _LEVELS, is_required=True),
    Criterion("grounded", "Grounded", "choice", "Says nothing without a source.", _LEVELS, is_required=True),
    Criterion("tone", "Tone", "choice", "Fits the customer and the matter.", _LEVELS),
    Criterion("faults", "What went wrong", "choices", options=tuple(map(Option, _FAULTS))),
    Criterion("safe", "Safe", "yes_no", "Promises nothing that policy forbids."),
    Criterion("length", "Length", "choice", options=(Option("too short"), Option("right"), Option("too long"))),
)
FIRST_ERROR = Criterion("fail", "First error", "first_error", "Where did it go wrong first?")


@dataclass(frozen=True, slots=True)
class Secrets:
    """The demo's keys, derived from SECRET_KEY: the same at every start without being stored in a file."""

    project_id: UUID
    store_key: str
    ingest_key: str
    access_token: str


def derive_secrets() -> Secrets:
    return Secrets(
        project_id=UUID(bytes=_derive("store project")[:16]),
        store_key=_derive("store key").hex(),
        ingest_key=_derive("store ingest key").hex(),
        access_token=f"rvw_{_derive('access token').hex()}",
    )


def seed_demo(store_url: str, secrets: Secrets) -> dict[str, str]:
    """Create what is missing of the demo's data. Returns each person's new password by username."""
    project = _connect_project(store_url, secrets)
    if not AccessToken.objects.filter(digest=AccessToken.hash_secret(secrets.access_token)).exists():
        tokens.create_token(project, "demo", "demo", secret=secrets.access_token)
    if not Queue.objects.filter(project=project).exists():
        traces = sample_traces.make_traces(clock.now())
        _ingest(store_url, secrets.ingest_key, traces)
        _fill_queues(project, traces)
    return {username: _reset_password(username, project, role) for username, role in PEOPLE.items()}


def _connect_project(store_url: str, secrets: Secrets) -> Project:
    project = Project.objects.filter(slug=PROJECT_SLUG, base_url=store_url).first()
    if project is not None and laminar_keys.get_active_key(project) is not None:
        # Keep the key, which an admin may have replaced.
        return project
    return laminar_keys.connect_project(PROJECT_SLUG, "Support demo", store_url, "", secrets.store_key, "demo")


def _reset_password(username: str, project: Project, role: str) -> str:
    user, password = add_person(username, project, role)
    if not password:
        password = new_password()
        User.objects.filter(pk=user.pk).update(password=make_password(password))
    return password


def _ingest(store_url: str, key: str, traces: Sequence[DemoTrace]) -> None:
    for start in range(0, len(traces), BATCH):
        request = urllib.request.Request(  # noqa: S310 - the URL of the store that this command has just started
            f"{store_url}/v1/traces",
            data=otlp.encode_request(traces[start : start + BATCH]),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/x-protobuf"},
        )
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


def _fill_queues(project: Project, traces: Sequence[DemoTrace]) -> None:
    answers_queue = create_queue(
        project, QUEUE_SLUG, "Answers", "demo", question="How good is the answer, given what was asked and looked up?"
    )
    second_look_queue = create_queue(
        project, "second-look", "Second look", "demo", question="1 is harmful, 5 is exemplary.",
        score_min=1, score_max=5, score_step=1, key_prefix="qa_", criteria=criteria.dump_criteria([FIRST_ERROR]),
    )  # fmt: skip
    rubric_queue = create_queue(
        project, "rubric", "Seven questions", "demo", question="All in all, 1 is harmful and 5 is exemplary.",
        score_min=1, score_max=5, score_step=1, key_prefix="rubric_", criteria=criteria.dump_criteria(SEVEN_CRITERIA),
    )  # fmt: skip
    split = len(traces) * 2 // 3
    adding.add(answers_queue, [_entry(trace, number) for number, trace in enumerate(traces[:split])], "demo")
    adding.add(rubric_queue, [_entry(trace, number) for number, trace in enumerate(traces)], "demo")
    adding.add(second_look_queue, [_entry(trace, number) for number, trace in enumerate(traces[split:])], "demo")


def _entry(trace: DemoTrace, number: int) -> Entry:
    reason = "production sample, 20 %" if number % 3 else "a customer asked again within the hour"
    return Entry(trace.trace_id, reason=reason, reference=trace.session_id, priority=0)


def _derive(purpose: str) -> bytes:
    return hmac.new(settings.SECRET_KEY.encode(), f"demo {purpose}".encode(), hashlib.sha256).digest()
