"""Personal data in reviews: what is found, what is not, and what each project setting does."""

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
def test_it_finds_personal_data(text: str, kind: str) -> None:
    assert [finding.kind for finding in find_personal_data(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "Order 4471 of 2026-11-22, 12:30, is fine.", "Scores 0.75 and 0.5, 1,024 tokens.", "@mention and a@b",
        "trace 7c1e22f0-9f04-4b11-8a55-3f0c5d8e9f04", "4111 1111 1111 1112 is no card", "the token count is high",
        "version 10.0.22631.4460", "a secret: no",
    ],
)  # fmt: skip
def test_it_does_not_find_personal_data(text: str) -> None:
    assert find_personal_data(text) == []


def test_it_masks_findings_and_nothing_else() -> None:
    assert (
        mask_personal_data(f"{MAIL} Or +49 151 23456789.") == "Write to [e-mail address] about it. Or [phone number]."
    )


def test_it_is_fast_with_a_long_hostile_text() -> None:
    for piece in ("a@", "1 ", "A.", "password", "+1-"):
        assert find_personal_data(piece * 10_000) is not None


@pytest.fixture
def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


def test_it_refuses_to_save_without_a_decision_when_the_project_requires_one(
    reviewer_client: Client, url: str, project: Project
) -> None:
    Project.objects.update(personal_data=PersonalData.REQUIRE)
    response = reviewer_client.post(url, {"notes": MAIL, "version": "0"})
    assert response.status_code == 422
    assert "an e-mail address (ann.…)" in response.text
    assert "Write to ann.lee@example.org about it.</textarea>" in response.text
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("decision", "saved", "pushed"),
    [
        ("send", MAIL, MAIL),
        ("mask", "Write to [e-mail address] about it.", "Write to [e-mail address] about it."),
        ("keep", MAIL, None),
    ],
)
def test_it_saves_and_pushes_notes_by_the_decision(
    reviewer_client: Client, url: str, decision: str, saved: str, pushed: str | None
) -> None:
    Project.objects.update(personal_data=PersonalData.REQUIRE)
    reviewer_client.post(url, {"notes": MAIL, "version": "0", "personal_data": decision})
    assert Review.objects.get().notes == saved
    assert Patch.objects.get().values["notes"] == pushed


WHY = Criterion("why", "Why", "text")
BETTER = Criterion("better", "A better answer", "correction")
TAGS = Criterion("tags", "Tags", "tags")
FREE_TEXTS = {
    "answer.why": MAIL,
    "answer.better": f"Paris. {MAIL}",
    "answer.tags": "ok, ann.lee@example.org",
    "version": "0",
}
MASKED = "Write to [e-mail address] about it."


@pytest.fixture
def free_text_item(item: QueueItem) -> QueueItem:
    """An item whose queue has three free-text criteria and whose trace answers “Paris.”"""
    item.queue.criteria = criteria.dump_criteria((WHY, BETTER, TAGS))
    item.queue.save()
    trace = TraceFactory.create(project=item.queue.project, trace_id=item.trace_id, spans_pulled_at="2026-11-22T10:00Z")
    SpanFactory.create(trace=trace)
    return item


@pytest.mark.parametrize("setting", [PersonalData.REQUIRE, PersonalData.WARN])
def test_it_refuses_to_save_free_texts_without_a_decision(
    reviewer_client: Client, free_text_item: QueueItem, url: str, setting: str
) -> None:
    Project.objects.update(personal_data=setting)
    response = reviewer_client.post(url, FREE_TEXTS)
    assert response.status_code == 422
    for label in ("Why", "A better answer", "Tags"):
        assert f"“{label}” contains an e-mail address (ann.…)." in response.text


@pytest.mark.parametrize(
    ("decision", "why", "better", "edits", "tags"),
    [
        ("send", MAIL, f"Paris. {MAIL}", 5, ["ok", "ann.lee@example.org"]),
        ("mask", MASKED, f"Paris. {MASKED}", 6, ["ok", "[e-mail address]"]),
        ("keep", None, None, None, []),
    ],
)
def test_it_pushes_free_texts_by_the_decision(
    reviewer_client: Client, free_text_item: QueueItem, url: str, decision: str,
    why: str | None, better: str | None, edits: int | None, tags: list[str],
) -> None:  # fmt: skip
    reviewer_client.post(url, {**FREE_TEXTS, "personal_data": decision})
    patch = Patch.objects.get()
    assert [patch.values[key] for key in ("why", "better", "better_edits")] == [why, better, edits]
    assert patch.tag_names == tags
    assert Review.objects.get().criterion_answers["why"] == (why or MAIL)


def test_it_warns_about_every_free_text(reviewer_client: Client, free_text_item: QueueItem, url: str) -> None:
    Queue.objects.update(grace_seconds=5)
    page = reviewer_client.post(url, FREE_TEXTS, follow=True).text
    assert "“Tags” contains an e-mail address (ann.…). Undo the review if this should not be sent." in page


def test_it_checks_no_free_text_when_the_check_is_off(
    reviewer_client: Client, free_text_item: QueueItem, url: str
) -> None:
    Project.objects.update(personal_data=PersonalData.OFF)
    assert reviewer_client.post(url, FREE_TEXTS).status_code == 302


def test_it_does_not_find_what_the_trace_itself_says() -> None:
    assert find_personal_data(f"{MAIL} And +49 151 23456789.", known=MAIL)[0].kind == "a phone number"


def test_it_warns_while_the_review_can_be_undone(reviewer_client: Client, url: str) -> None:
    Queue.objects.update(grace_seconds=5)
    page = reviewer_client.post(url, {"notes": MAIL, "version": "0"}, follow=True).text
    assert "The notes contain an e-mail address (ann.…). Undo the review if this should not be sent." in page
    assert Review.objects.exists()


def test_it_refuses_to_save_without_a_decision_when_nothing_can_be_undone(reviewer_client: Client, url: str) -> None:
    assert reviewer_client.post(url, {"notes": MAIL, "version": "0"}).status_code == 422


def test_it_checks_nothing_when_an_admin_turns_the_check_off(
    reviewer_client: Client, url: str, admin_client: Client
) -> None:
    admin_client.post("/p/support/keys/personal-data/", {"personal_data": "off"})
    assert reviewer_client.post(url, {"notes": MAIL, "version": "0"}).status_code == 302


def test_it_refuses_an_unknown_setting(admin_client: Client, project: Project) -> None:
    assert admin_client.post("/p/support/keys/personal-data/", {"personal_data": "x"}).status_code == 422
    assert Project.objects.get(pk=project.pk).personal_data == PersonalData.WARN
