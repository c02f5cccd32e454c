"""Each factory creates rows that the application itself could have written."""

from typing import Any

import pytest
from django.test import Client

from reviewapp.reviews.models import Review
from reviewapp.traces.metadata import index
from reviewapp.traces.models import Trace
from tests import factories

pytestmark = pytest.mark.django_db

FACTORIES = [
    value for name, value in vars(factories).items() if name.endswith("Factory") and name != "DjangoModelFactory"
]


@pytest.mark.parametrize("factory", FACTORIES)
def test_it_creates_valid_rows(factory: Any) -> None:
    for row in factory.create_batch(2):
        row.full_clean(exclude=[field.name for field in row._meta.fields if field.null])


def test_it_indexes_the_metadata_of_a_trace() -> None:
    trace: Trace = factories.TraceFactory.create(metadata='{"customer":"acme"}')

    postings = index.matching(trace.project, [("customer", "acme")])
    assert [posting.trace for posting in postings] == [trace]


def test_it_creates_a_patch_for_the_trace_of_a_review() -> None:
    review: Review = factories.ReviewFactory.create()

    assert review.patch is not None
    assert review.patch.trace_id == review.item.trace_id
    assert review.patch.project == review.item.queue.project


def test_it_encrypts_and_decrypts_the_secret_of_a_key() -> None:
    assert factories.LaminarKeyFactory.create(secret="another secret").secret == "another secret"


def test_it_signs_in_the_clients_of_the_cast(reviewer_client: Client, admin_client: Client) -> None:
    assert "_auth_user_id" in reviewer_client.session
    assert admin_client.session["_auth_user_id"] != reviewer_client.session["_auth_user_id"]
