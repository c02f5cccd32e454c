"""Personal data in notes: what is found, what is not, and what each wish of a project does."""

import pytest
from django.test import Client

from reviewapp.accounts.models import PersonalData, Project
from reviewapp.delivery.models import Patch
from reviewapp.lib.personal_data import find_personal_data, mask_personal_data
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.rubric import criteria
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.reviews.models import Review
from tests.factories import SpanFactory, TraceFactory

MAIL = "Write to ann.lee@example.org about it."


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ask Ann.Lee+x@mail.example.co.uk", "an e-mail address"),
        ("call +49 (0) 151 234-56789 today", "a phone number"),
        ("call 0151 23456789 today", "a phone number"),
        ("card 4111 1111 1111 1111", "a card number"),
        ("card 378282246310005.", "a card number"),
        ("pay DE89 3704 0044 0532 0130 00", "a bank account"),
        ("used sk-proj-abcdefghijklmnop", "a secret"),
        ("AKIAIOSFODNN7EXAMPLE", "a secret"),
        ("password: hunter2hunter2", "a secret"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a secret"),
    ],
)
def test_it_finds(text: str, kind: str) -> None:
    assert [finding.kind for finding in find_personal_data(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "Order 4471 of 2026-11-22, 12:30, is fine.", "Scores 0.75 and 0.5, 1,024 tokens.", "@mention and a@b",
        "trace 7c1e22f0-9f04-4b11-8a55-3f0c5d8e9f04", "4111 1111 1111 1112 is no card", "the token count is high",
        "version 10.0.22631.4460", "a secret: no",
    ],
)  # fmt: skip
def test_it_leaves_alone(text: str) -> None:
    assert find_personal_data(text) == []


def test_it_masks_each_and_keeps_the_rest() -> None:
    assert (
        mask_personal_data(f"{MAIL} Or +49 151 23456789.") == "Write to [e-mail address] about it. Or [phone number]."
    )


def test_it_is_quick_with_a_long_text_made_to_be_slow() -> None:
    for piece in ("a@", "1 ", "A.", "password", "+1-"):
        assert find_personal_data(piece * 10_000) is not None


@pytest.fixture
def where(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


def test_a_project_may_require_a_decision(reviewer_client: Client, where: str, project: Project) -> None:
    Project.objects.update(personal_data=PersonalData.REQUIRE)
    answer = reviewer_client.post(where, {"notes": MAIL, "version": "0"})
    assert answer.status_code == 422
    assert "an e-mail address (ann.…)" in answer.content.decode()
    assert "Write to ann.lee@example.org about it.</textarea>" in answer.content.decode()
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("decision", "kept", "sent"),
    [
        ("send", MAIL, MAIL),
        ("mask", "Write to [e-mail address] about it.", "Write to [e-mail address] about it."),
        ("keep", MAIL, None),
    ],
)
def test_the_reviewer_decides(reviewer_client: Client, where: str, decision: str, kept: str, sent: str | None) -> None:
    Project.objects.update(personal_data=PersonalData.REQUIRE)
    reviewer_client.post(where, {"notes": MAIL, "version": "0", "personal_data": decision})
    assert Review.objects.get().notes == kept
    assert Patch.objects.get().values["notes"] == sent


WHY = Criterion("why", "Why", "text")
BETTER = Criterion("better", "A better answer", "correction")
TAGS = Criterion("tags", "Tags", "tags")
WROTE = {
    "answer.why": MAIL,
    "answer.better": f"Paris. {MAIL}",
    "answer.tags": "ok, ann.lee@example.org",
    "version": "0",
}
HIDDEN = "Write to [e-mail address] about it."


@pytest.fixture
def asking(item: QueueItem) -> QueueItem:
    """An item whose queue asks for three free texts; its trace answers “Paris.”"""
    item.queue.criteria = criteria.dump_criteria((WHY, BETTER, TAGS))
    item.queue.save()
    trace = TraceFactory.create(project=item.queue.project, trace_id=item.trace_id, spans_pulled_at="2026-11-22T10:00Z")
    SpanFactory.create(trace=trace)
    return item


@pytest.mark.parametrize("wish", [PersonalData.REQUIRE, PersonalData.WARN])
def test_it_asks_about_every_free_text(reviewer_client: Client, asking: QueueItem, where: str, wish: str) -> None:
    Project.objects.update(personal_data=wish)
    answer = reviewer_client.post(where, WROTE)
    assert answer.status_code == 422
    for label in ("Why", "A better answer", "Tags"):
        assert f"“{label}” holds an e-mail address (ann.…)." in answer.content.decode()


@pytest.mark.parametrize(
    ("decision", "why", "better", "edits", "tags"),
    [
        ("send", MAIL, f"Paris. {MAIL}", 5, ["ok", "ann.lee@example.org"]),
        ("mask", HIDDEN, f"Paris. {HIDDEN}", 6, ["ok", "[e-mail address]"]),
        ("keep", None, None, None, []),
    ],
)
def test_the_reviewer_decides_about_every_free_text(
    reviewer_client: Client, asking: QueueItem, where: str, decision: str,
    why: str | None, better: str | None, edits: int | None, tags: list[str],
) -> None:  # fmt: skip
    reviewer_client.post(where, {**WROTE, "personal_data": decision})
    patch = Patch.objects.get()
    assert [patch.values[key] for key in ("why", "better", "better_edits")] == [why, better, edits]
    assert patch.tag_names == tags
    assert Review.objects.get().criterion_answers["why"] == (why or MAIL)


def test_it_tells_of_every_free_text(reviewer_client: Client, asking: QueueItem, where: str) -> None:
    Queue.objects.update(grace_seconds=5)
    page = reviewer_client.post(where, WROTE, follow=True).content.decode()
    assert "“Tags” holds an e-mail address (ann.…). Undo, if that should not be sent." in page


def test_it_looks_at_no_free_text_where_it_shall_not(reviewer_client: Client, asking: QueueItem, where: str) -> None:
    Project.objects.update(personal_data=PersonalData.OFF)
    assert reviewer_client.post(where, WROTE).status_code == 302


def test_what_the_trace_itself_says_is_no_finding() -> None:
    assert find_personal_data(f"{MAIL} And +49 151 23456789.", known=MAIL)[0].kind == "a phone number"


def test_it_tells_while_it_can_be_undone(reviewer_client: Client, where: str) -> None:
    Queue.objects.update(grace_seconds=5)
    page = reviewer_client.post(where, {"notes": MAIL, "version": "0"}, follow=True).content.decode()
    assert "The notes hold an e-mail address (ann.…). Undo, if that should not be sent." in page
    assert Review.objects.exists()


def test_it_asks_where_nothing_can_be_undone(reviewer_client: Client, where: str) -> None:
    assert reviewer_client.post(where, {"notes": MAIL, "version": "0"}).status_code == 422


def test_a_project_may_want_no_look(reviewer_client: Client, where: str, admin_client: Client) -> None:
    admin_client.post("/p/support/keys/personal-data/", {"personal_data": "off"})
    assert reviewer_client.post(where, {"notes": MAIL, "version": "0"}).status_code == 302


def test_it_refuses_a_wish_it_does_not_know(admin_client: Client, project: Project) -> None:
    assert admin_client.post("/p/support/keys/personal-data/", {"personal_data": "x"}).status_code == 422
    assert Project.objects.get(pk=project.pk).personal_data == PersonalData.WARN
