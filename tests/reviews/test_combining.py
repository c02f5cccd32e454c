"""Answers of several people, combined into one."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.delivery.models import Patch, State
from reviewapp.queues.models import PushPolicy, Queue, QueueItem
from reviewapp.queues.rubric.criteria import Criterion, Option, dump_criteria
from reviewapp.reviews.combining import combine, describe_votes
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from reviewapp.reviews.undoing import undo
from tests.factories import QueueFactory, QueueItemFactory

AB = (Option("a"), Option("b"))
FIRST = {"at": 1, "step": "plan", "quote": ""}
OTHER = {"at": 2, "step": "act", "quote": ""}
GOOD = Answers(Decimal("0.8"), "Right.", needs_review=False)
BAD = Answers(Decimal("0.2"), "Wrong.", needs_review=True)


def ask(kind: str, **fields: Any) -> Queue:
    return Queue(criteria=dump_criteria([Criterion("q", "Q", kind, **fields)]))


def answer(value: Any, **fields: Any) -> Answers:
    return Answers(None, "", needs_review=False, criterion_answers={"q": value}, **fields)


def combine_values(rubric: Queue, *values: Any) -> Any:
    votes = {f"person-{n}": answer(value) for n, value in enumerate(values)}
    return combine(rubric, votes).criterion_answers.get("q")


@pytest.mark.parametrize(
    ("kind", "values", "combined"),
    [
        ("number", [1, 2, 2], 1.6667),
        ("number", [1, 3], 2),
        ("number", [1, None], 1),
        ("choice", ["a", "b", "a"], "a"),
        ("choice", ["a", "b"], None),
        ("choices", [["a", "b"], ["b"], ["b"]], ["b"]),
        ("choices", [["a"], ["b"]], None),
        ("yes_no", [True, False, False], False),
        ("yes_no", [True, False], None),
        ("text", ["same", "same"], "same"),
        ("text", ["one", "two"], "person-0: one\n\nperson-1: two"),
        (
            "correction",
            [{"edits": 1, "from": "x", "text": "y"}] * 2 + [{"edits": 0}],
            {"edits": 1, "from": "x", "text": "y"},
        ),
        ("correction", [{"edits": 1, "from": "x", "text": "y"}, {"edits": 0}], None),
        ("tags", [["red"], ["blue", "red"]], ["red", "blue"]),
        ("first_error", [FIRST, FIRST, OTHER], FIRST),
        ("first_error", [FIRST, OTHER], None),
    ],
)
def test_it_combines_each_kind(kind: str, values: list[Any], combined: Any) -> None:
    options = AB if kind in ("choice", "choices") else ()
    assert combine_values(ask(kind, options=options), *values) == combined


@pytest.mark.parametrize("value", ["old text", True, [], {}, {"text": "x"}])
def test_it_leaves_out_answers_of_another_kind(value: Any) -> None:
    assert combine_values(ask("number"), value, 3) == 3


def test_it_averages_scores_and_flags_if_anybody_did() -> None:
    combined = combine(Queue(), {"ana": GOOD, "ben": BAD})
    assert (combined.score, combined.needs_review, combined.notes) == (
        Decimal("0.5"),
        True,
        "ana: Right.\n\nben: Wrong.",
    )


def test_it_never_averages_an_unsure_answer() -> None:
    unsure = Answers(Decimal(0), "Hm.", needs_review=True, criterion_answers={"q": 9}, is_unsure=True)
    combined = combine(ask("number"), {"ana": answer(1), "ben": unsure})
    assert (combined.score, combined.needs_review, combined.criterion_answers) == (None, True, {"q": 1})


def test_it_leaves_out_what_is_not_pushed() -> None:
    private = Answers(
        None, "secret", needs_review=False, criterion_answers={"q": "secret"}, keeps_notes_here=True,
        unpushed_keys=frozenset({"q"}),
    )  # fmt: skip
    combined = combine(ask("text"), {"ana": private, "ben": answer("open")})
    assert (combined.notes, combined.criterion_answers) == ("", {"q": "open"})


def test_it_says_how_well_people_agree() -> None:
    rubric = ask("yes_no")
    rubric.pushes_agreement = True
    votes = {
        "ana": Answers(Decimal(1), "", needs_review=False, criterion_answers={"q": True}),
        "ben": Answers(Decimal(1), "", needs_review=False, criterion_answers={"q": False}),
    }
    assert describe_votes(rubric, votes) == {"reviewer": "ana, ben", "reviewers": 2, "agreement": Decimal("0.5")}


@pytest.fixture
def item(project: Project) -> QueueItem:
    queue = QueueFactory.create(
        project=project, slug="double", reviewers_per_item=2, push_policy=PushPolicy.COMBINED, pushes_agreement=True
    )
    return QueueItemFactory.create(queue=queue)


def load(item: QueueItem) -> QueueItem:
    return QueueItem.objects.select_related("queue__project").get(pk=item.pk)


def test_it_pushes_the_combined_answers(item: QueueItem, reviewer: User, colleague: User) -> None:
    Queue.objects.update(is_blind=False)
    submit(load(item), reviewer, GOOD, version=0)
    assert not Patch.objects.exists()
    submit(load(item), colleague, BAD, version=0)
    assert Patch.objects.get().values == {
        "score": 0.5, "notes": "colleague: Wrong.\n\nreviewer: Right.", "needs_review": True,
        "reviewer": "colleague, reviewer", "review_rev": 1, "reviewers": 2, "agreement": 0,
    }  # fmt: skip


def test_it_pushes_the_answers_of_a_later_revision_combined(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(load(item), colleague, BAD, version=0)
    submit(load(item), reviewer, BAD, version=1)
    assert Patch.objects.get(state=State.WAITING).values["score"] == 0.2
    assert Patch.objects.get(state=State.SUPERSEDED).values["score"] == 0.5


def test_it_restores_the_combined_answers_by_undo(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(load(item), colleague, BAD, version=0)
    submit(load(item), reviewer, BAD, version=1)
    undo(load(item), reviewer)
    assert Patch.objects.get(state=State.WAITING).values["score"] == 0.5


def test_it_makes_no_revision_of_the_same_answers(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    own = submit(load(item), colleague, BAD, version=0)
    assert submit(load(item), colleague, BAD, version=own.revision) == own
    assert Review.objects.count() == 2


def test_it_clears_keys_that_are_no_longer_pushed(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(load(item), colleague, BAD, version=0)
    Queue.objects.update(pushes_agreement=False)
    submit(load(item), reviewer, BAD, version=1)
    values = Patch.objects.get(state=State.WAITING).values
    assert (values["reviewers"], values["agreement"]) == (None, None)


def test_it_knows_the_keys_of_agreement(item: QueueItem) -> None:
    assert {"reviewers", "agreement"} <= set(item.queue.pushed_keys)
    item.queue.pushes_agreement = False
    assert not {"reviewers", "agreement"} & set(item.queue.pushed_keys)


def test_it_refuses_a_key_that_agreement_has(item: QueueItem) -> None:
    item.queue.score_key = "agreement"
    with pytest.raises(ValidationError, match="same metadata key"):
        item.queue.clean()


def test_it_shows_what_two_reviews_would_push(item: QueueItem, lead_client: Client) -> None:
    kinds = ["choice", "choices", "yes_no", "number", "text", "correction", "tags", "first_error"]
    criteria = [Criterion(kind, kind, kind, options=AB if kind.startswith("choice") else ()) for kind in kinds]
    Queue.objects.update(criteria=dump_criteria(criteria))
    page = lead_client.get(f"/p/support/queues/{item.queue.slug}/push-example/").text
    assert "&quot;reviewer&quot;: &quot;ana, ben&quot;" in page
    assert "&quot;score&quot;: 0.5" in page
    assert "&quot;number&quot;: 0.5" in page


def test_it_saves_the_way_to_push(item: QueueItem, lead_client: Client) -> None:
    form_data = {
        "name": "Double", "score_key": "score", "notes_key": "notes", "needs_review_key": "needs_review",
        "reviewer_key": "reviewer", "review_rev_key": "review_rev", "reviewers_per_item": "2", "push_policy": "latest",
    }  # fmt: skip
    assert lead_client.post(f"/p/support/queues/{item.queue.slug}/settings/", form_data).status_code == 302
    queue = Queue.objects.get()
    assert (queue.push_policy, queue.pushes_agreement) == (PushPolicy.LATEST, False)
