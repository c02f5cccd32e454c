"""Drafts: unsubmitted forms are saved and shown again."""

from functools import partial

import pytest
from django.http import QueryDict
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.queues import claiming
from reviewapp.queues.models import QueueItem
from reviewapp.queues.rubric import answer_values, criteria
from reviewapp.reviews import drafts
from reviewapp.reviews.models import Draft, Review
from tests.cast import sign_in_client
from tests.threads import run_concurrently

FORM_DATA = {"notes": "half a thou", "score": "0.5", "version": "0"}


def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


def test_it_opens_the_item_with_the_draft(reviewer_client: Client, item: QueueItem) -> None:
    assert reviewer_client.post(f"{url(item)}draft/", FORM_DATA).status_code == 204
    page = reviewer_client.get(url(item)).text
    assert "half a thou</textarea>" in page
    assert 'value="0.5"' in page
    assert "Draft from" in page


def test_it_keeps_only_the_last_draft(reviewer_client: Client, item: QueueItem) -> None:
    for notes in ("a", "ab", "abc"):
        reviewer_client.post(f"{url(item)}draft/", {**FORM_DATA, "notes": notes})
    assert drafts.parse_fields(Draft.objects.get()) == {"notes": "abc", "score": "0.5"}


def test_it_shows_a_draft_only_to_its_author(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    reviewer_client.post(f"{url(item)}draft/", FORM_DATA)
    assert "half a thou" not in colleague_client.get(url(item)).text


def test_it_deletes_the_draft_on_submit(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(f"{url(item)}draft/", FORM_DATA)
    reviewer_client.post(url(item), FORM_DATA)
    assert not Draft.objects.exists()
    assert Review.objects.get().notes == "half a thou"


def test_it_deletes_the_draft_on_request(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(f"{url(item)}draft/", FORM_DATA)
    response = reviewer_client.post(f"{url(item)}draft/", {"drop": "true"})
    assert response.url == url(item)  # type: ignore[attr-defined]
    assert not Draft.objects.exists()


def test_it_keeps_the_draft_of_a_refused_submit(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(f"{url(item)}draft/", FORM_DATA)
    reviewer_client.post(url(item), {**FORM_DATA, "score": "7"})
    assert Draft.objects.exists()


def test_it_refuses_a_draft_when_the_item_was_reviewed_since(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    colleague_client.post(url(item), {"notes": "theirs", "version": "0"})
    response = reviewer_client.post(f"{url(item)}draft/", FORM_DATA)
    assert response.status_code == 409
    assert response.text.startswith("The item was reviewed after")
    assert not Draft.objects.exists()


def test_it_shows_the_draft_and_the_review_when_the_draft_is_older(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    reviewer_client.post(f"{url(item)}draft/", FORM_DATA)
    colleague_client.post(url(item), {"notes": "theirs", "version": "0"})
    page = reviewer_client.get(url(item)).text
    assert "half a thou</textarea>" in page
    assert '“<bdi dir="auto">theirs</bdi>”' in page
    assert 'name="version" value="1"' in page


def test_it_shows_who_has_taken_over_the_item(reviewer_client: Client, item: QueueItem, lead: User) -> None:
    claiming.take_over(item, lead)
    response = reviewer_client.post(f"{url(item)}draft/", FORM_DATA, headers={"HX-Request": "true"})
    assert response.status_code == 409
    assert "lead is reviewing this item now" in response.text
    assert "half a thou</textarea>" in response.text


@pytest.mark.parametrize("notes", ["a\x00b", "\ud800", "🦊" * 20_000, "n" * 30_000])
def test_it_saves_what_a_review_would_refuse(item: QueueItem, reviewer: User, notes: str) -> None:
    form_data = QueryDict(mutable=True)
    form_data["notes"] = notes
    assert drafts.save_form(item, reviewer, form_data, version=0)
    assert drafts.parse_fields(Draft.objects.get())["notes"] == notes


def test_it_refuses_a_draft_that_is_too_long(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(f"{url(item)}draft/", {**FORM_DATA, "notes": "n" * (drafts.MAX_DRAFT_SIZE + 1)})
    assert response.status_code == 413
    assert not Draft.objects.exists()


@pytest.mark.parametrize("version", ["", "x", "9" * 30, "-1"])
def test_it_accepts_or_refuses_a_tampered_version_without_an_error(
    reviewer_client: Client, item: QueueItem, version: str
) -> None:
    assert reviewer_client.post(f"{url(item)}draft/", {**FORM_DATA, "version": version}).status_code in {204, 409}


@pytest.mark.django_db(transaction=True)
def test_it_keeps_no_draft_after_a_concurrent_submit(reviewer: User, item: QueueItem) -> None:
    clients = [sign_in_client(reviewer) for _ in range(6)]
    paths = [url(item), *[f"{url(item)}draft/"] * 5]
    run_concurrently([partial(client.post, path, FORM_DATA) for client, path in zip(clients, paths, strict=True)])
    assert Review.objects.count() == 1
    assert not Draft.objects.exists()


def test_it_saves_the_draft_and_opens_another_tab_of_the_trace(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(f"{url(item)}view/?tab=raw", FORM_DATA)
    assert response.url == f"{url(item)}?tab=raw"  # type: ignore[attr-defined]
    assert drafts.parse_fields(Draft.objects.get())["notes"] == "half a thou"


def test_it_saves_no_draft_of_an_unchanged_form(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(f"{url(item)}view/?tab=raw", {"version": "0", "score": "", "notes": "\r\n"})
    assert response.status_code == 302
    assert not Draft.objects.exists()


def test_it_shows_the_form_again_when_the_draft_is_not_saved(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(f"{url(item)}view/?tab=raw", {**FORM_DATA, "version": "7"})
    assert response.status_code == 409
    assert "half a thou</textarea>" in response.text
    assert "the draft was not saved" in response.text


def test_it_saves_a_draft_of_whatever_can_be_submitted(reviewer_client: Client, item: QueueItem) -> None:
    queue = item.queue
    queue.criteria = criteria.dump_criteria([criteria.Criterion("better", "A better answer", "correction")])
    queue.save(update_fields=["criteria"])
    form_data = {
        "version": "0",
        "answer.better": "\N{EARTH GLOBE EUROPE-AFRICA} " * (answer_values.MAX_CORRECTION_LENGTH // 2),
    }
    assert reviewer_client.post(f"{url(item)}draft/", form_data).status_code == 204
    assert reviewer_client.post(url(item), form_data).status_code == 302


def test_it_shows_every_value_of_a_field_that_was_sent_twice(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(f"{url(item)}draft/", {**FORM_DATA, "notes": ["first", "second"]})
    page = reviewer_client.get(url(item)).text

    assert ">second</textarea>" in page
    assert "first" in page
    assert "[&#x27;first" not in page


def test_it_keeps_a_draft_from_a_form_that_did_not_arrive(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(f"{url(item)}draft/", FORM_DATA)
    response = reviewer_client.post(f"{url(item)}draft/", {"notes": "cut"})

    assert response.status_code == 422
    assert drafts.parse_fields(Draft.objects.get()) == {"notes": "half a thou", "score": "0.5"}
