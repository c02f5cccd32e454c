"""Drafts: what is typed and not submitted is kept, and found again."""

from functools import partial

import pytest
from django.http import QueryDict
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.queues import claiming
from reviewapp.queues.models import QueueItem
from reviewapp.reviews import drafts
from reviewapp.reviews.models import Draft, Review
from tests.cast import sign_in_client
from tests.threads import run_concurrently

TYPED = {"notes": "half a thou", "score": "0.5", "version": "0"}


def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


def test_it_opens_the_item_with_the_draft(reviewer_client: Client, item: QueueItem) -> None:
    assert reviewer_client.post(f"{url(item)}draft/", TYPED).status_code == 204
    page = reviewer_client.get(url(item)).content.decode()
    assert "half a thou</textarea>" in page
    assert 'value="0.5"' in page
    assert "Draft from" in page


def test_it_keeps_the_last_of_several_drafts(reviewer_client: Client, item: QueueItem) -> None:
    for notes in ("a", "ab", "abc"):
        reviewer_client.post(f"{url(item)}draft/", {**TYPED, "notes": notes})
    assert drafts.parse_fields(Draft.objects.get()) == {"notes": "abc", "score": "0.5"}


def test_it_shows_a_draft_to_its_author_only(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    reviewer_client.post(f"{url(item)}draft/", TYPED)
    assert "half a thou" not in colleague_client.get(url(item)).content.decode()


def test_it_drops_the_draft_with_the_submit(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(f"{url(item)}draft/", TYPED)
    reviewer_client.post(url(item), TYPED)
    assert not Draft.objects.exists()
    assert Review.objects.get().notes == "half a thou"


def test_it_drops_the_draft_when_asked(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(f"{url(item)}draft/", TYPED)
    answer = reviewer_client.post(f"{url(item)}draft/", {"drop": "true"})
    assert answer.url == url(item)  # type: ignore[attr-defined]
    assert not Draft.objects.exists()


def test_it_keeps_the_draft_of_a_refused_submit(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(f"{url(item)}draft/", TYPED)
    reviewer_client.post(url(item), {**TYPED, "score": "7"})
    assert Draft.objects.exists()


def test_it_refuses_a_draft_of_an_item_that_moved_on(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    colleague_client.post(url(item), {"notes": "theirs", "version": "0"})
    answer = reviewer_client.post(f"{url(item)}draft/", TYPED)
    assert answer.status_code == 409
    assert answer.content.decode().startswith("The item was reviewed since")
    assert not Draft.objects.exists()


def test_it_shows_both_texts_for_a_draft_from_before_a_review(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    reviewer_client.post(f"{url(item)}draft/", TYPED)
    colleague_client.post(url(item), {"notes": "theirs", "version": "0"})
    page = reviewer_client.get(url(item)).content.decode()
    assert "half a thou</textarea>" in page
    assert "“theirs”" in page
    assert 'name="version" value="1"' in page


def test_it_says_at_once_that_a_colleague_has_taken_the_item(
    reviewer_client: Client, item: QueueItem, lead: User
) -> None:
    claiming.take_over(item, lead)
    answer = reviewer_client.post(f"{url(item)}draft/", TYPED, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "lead is reviewing this item now" in answer.content.decode()
    assert "half a thou</textarea>" in answer.content.decode()


@pytest.mark.parametrize("notes", ["a\x00b", "\ud800", "🦊" * 20_000, "n" * 30_000])
def test_it_takes_what_a_review_would_refuse(item: QueueItem, reviewer: User, notes: str) -> None:
    typed = QueryDict(mutable=True)
    typed["notes"] = notes
    assert drafts.save_form(item, reviewer, typed, version=0)
    assert drafts.parse_fields(Draft.objects.get())["notes"] == notes


def test_it_refuses_a_draft_that_is_too_long(reviewer_client: Client, item: QueueItem) -> None:
    answer = reviewer_client.post(f"{url(item)}draft/", {**TYPED, "notes": "n" * (drafts.MAX_DRAFT_SIZE + 1)})
    assert answer.status_code == 413
    assert not Draft.objects.exists()


@pytest.mark.parametrize("version", ["", "x", "9" * 30, "-1"])
def test_it_survives_a_tampered_version(reviewer_client: Client, item: QueueItem, version: str) -> None:
    assert reviewer_client.post(f"{url(item)}draft/", {**TYPED, "version": version}).status_code in {204, 409}


@pytest.mark.django_db(transaction=True)
def test_it_leaves_no_draft_behind_a_submit_at_the_same_time(reviewer: User, item: QueueItem) -> None:
    clients = [sign_in_client(reviewer) for _ in range(6)]
    paths = [url(item), *[f"{url(item)}draft/"] * 5]
    run_concurrently([partial(client.post, path, TYPED) for client, path in zip(clients, paths, strict=True)])
    assert Review.objects.count() == 1
    assert not Draft.objects.exists()


def test_it_goes_on_to_a_view_of_the_trace_with_the_draft_kept(reviewer_client: Client, item: QueueItem) -> None:
    answer = reviewer_client.post(f"{url(item)}view/?tab=raw", TYPED)
    assert answer.url == f"{url(item)}?tab=raw"  # type: ignore[attr-defined]
    assert drafts.parse_fields(Draft.objects.get())["notes"] == "half a thou"


def test_it_keeps_no_draft_of_an_untouched_form(reviewer_client: Client, item: QueueItem) -> None:
    answer = reviewer_client.post(f"{url(item)}view/?tab=raw", {"version": "0", "score": "", "notes": "\r\n"})
    assert answer.status_code == 302
    assert not Draft.objects.exists()


def test_it_shows_what_was_typed_when_the_draft_is_not_kept(reviewer_client: Client, item: QueueItem) -> None:
    answer = reviewer_client.post(f"{url(item)}view/?tab=raw", {**TYPED, "version": "7"})
    assert answer.status_code == 409
    assert "half a thou</textarea>" in answer.text
    assert "the draft is not saved here" in answer.text
