"""Factories for model rows, each valid as the application would write it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import factory
from django.contrib.auth.hashers import make_password
from factory.django import DjangoModelFactory

from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.delivery.models import Patch
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import canonical_json, clock, names
from reviewapp.queues.models import ItemState, Queue, QueueItem, Rule
from reviewapp.reviews.counting import count_reviews
from reviewapp.reviews.models import Review
from reviewapp.traces.filter_models import Excerpt
from reviewapp.traces.metadata.index import reindex
from reviewapp.traces.models import Span, Trace

PASSWORD = "a password for tests"
SECRET = "laminar-key-for-tests-1234"


class ProjectFactory(DjangoModelFactory[Project]):
    class Meta:
        model = Project

    slug = factory.Sequence(lambda n: f"project-{n}")
    name = factory.LazyAttribute(lambda project: project.slug.replace("-", " ").capitalize())
    name_key = factory.LazyAttribute(lambda project: names.fold_name(project.name))
    base_url = "https://laminar.test"


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"user-{n}")
    username_key = factory.LazyAttribute(lambda user: names.fold_name(user.username))
    password = factory.LazyFunction(lambda: make_password(PASSWORD))


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    project = factory.SubFactory(ProjectFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.REVIEWER


class LaminarKeyFactory(DjangoModelFactory[LaminarKey]):
    """An active key; `secret` is stored encrypted."""

    class Meta:
        model = LaminarKey

    project = factory.SubFactory(ProjectFactory)
    secret = SECRET
    kind = LaminarKey.Kind.FULL
    added_by = "admin"

    @classmethod
    def _create(cls, model_class: type[LaminarKey], *args: Any, **kwargs: Any) -> LaminarKey:
        key = model_class.build_encrypted(*(kwargs.pop(name) for name in ("project", "secret", "kind", "added_by")))
        for name, value in kwargs.items():
            setattr(key, name, value)
        key.save(force_insert=True)
        return key


class TraceFactory(DjangoModelFactory[Trace]):
    """A pulled trace with indexed metadata (JSON text); each starts one second after the previous one."""

    class Meta:
        model = Trace
        skip_postgeneration_save = True

    project = factory.SubFactory(ProjectFactory)
    trace_id = factory.LazyFunction(uuid4)
    name = factory.Sequence(lambda n: f"answer question {n}")
    start_time = factory.Sequence(lambda n: clock.now() - timedelta(days=1) + timedelta(seconds=n))
    end_time = factory.LazyAttribute(lambda trace: trace.start_time and trace.start_time + timedelta(seconds=2))
    duration = factory.LazyAttribute(
        lambda trace: (
            (trace.end_time - trace.start_time).total_seconds() if trace.start_time and trace.end_time else None
        )
    )
    status = "success"
    pulled_at = factory.LazyFunction(clock.now)
    noted_at = factory.LazyFunction(lambda: clock.now() - timedelta(minutes=5))

    @factory.post_generation
    def excerpt(self: Trace, create: bool, extracted: tuple[str, str] | None) -> None:
        """The beginnings of the question and the answer."""
        if create and extracted:
            Excerpt.objects.create(trace=self, question=extracted[0], answer=extracted[1])

    @factory.post_generation
    def _index_metadata(self: Trace, create: bool, extracted: None) -> None:
        if create and self.metadata != "{}":
            reindex([self])


class SpanFactory(DjangoModelFactory[Span]):
    class Meta:
        model = Span

    trace = factory.SubFactory(TraceFactory)
    span_id = factory.Sequence(lambda n: UUID(int=n + 1))
    name = factory.Sequence(lambda n: f"step {n}")
    span_type = "LLM"
    status = "success"
    start_time = factory.SelfAttribute("trace.start_time")
    end_time = factory.LazyAttribute(lambda span: span.start_time + timedelta(seconds=1))
    input = canonical_json.dumps([{"role": "user", "content": "What is the capital of France?"}])
    output = canonical_json.dumps("Paris.")


class QueueFactory(DjangoModelFactory[Queue]):
    class Meta:
        model = Queue

    project = factory.SubFactory(ProjectFactory)
    slug = factory.Sequence(lambda n: f"queue-{n}")
    name = factory.LazyAttribute(lambda queue: queue.slug.replace("-", " ").capitalize())
    name_key = factory.LazyAttribute(lambda queue: names.fold_name(queue.name))
    # No undo period, so that patches are due at once.
    grace_seconds = 0


class QueueItemFactory(DjangoModelFactory[QueueItem]):
    """A pending item; its trace is not in the mirror unless the test creates it."""

    class Meta:
        model = QueueItem

    queue = factory.SubFactory(QueueFactory)
    trace_id = factory.LazyFunction(uuid4)
    added_by = "lead"


class RuleFactory(DjangoModelFactory[Rule]):
    """A rule that adds traces with environment=production, scanned from seven days ago."""

    class Meta:
        model = Rule

    queue = factory.SubFactory(QueueFactory)
    name = factory.Sequence(lambda n: f"rule {n}")
    pairs = '[["environment","production"]]'
    made_by = "lead"
    scanned_until = factory.LazyFunction(lambda: clock.now() - timedelta(days=7))
    active_since = factory.SelfAttribute("scanned_until")


class PatchFactory(DjangoModelFactory[Patch]):
    """A waiting patch that is due."""

    class Meta:
        model = Patch

    project = factory.SubFactory(ProjectFactory)
    trace_id = factory.LazyFunction(uuid4)
    metadata = canonical_json.dumps({"score": 1})
    source = "review of reviewer"
    created_at = factory.LazyFunction(clock.now)
    due_at = factory.SelfAttribute("created_at")


class ReviewFactory(DjangoModelFactory[Review]):
    """The first and only revision of a completed item; its patch is waiting."""

    class Meta:
        model = Review
        skip_postgeneration_save = True

    item = factory.SubFactory(
        QueueItemFactory, state=ItemState.COMPLETED, version=1, completed_at=factory.LazyFunction(clock.now)
    )
    queue = factory.SelfAttribute("item.queue")
    revision = 1
    reviewer = factory.SubFactory(UserFactory)
    score = Decimal(1)
    patch = factory.SubFactory(
        PatchFactory,
        project=factory.SelfAttribute("..item.queue.project"),
        trace_id=factory.SelfAttribute("..item.trace_id"),
    )

    @factory.post_generation
    def _count(self: Review, create: bool, extracted: None) -> None:
        if create and self.is_latest:
            count_reviews(self.item.queue, [self], [])
