"""A factory's row must be one that the application itself could have written."""

from typing import Any

import pytest
from django.test import Client

from reviewapp.reviews.models import Review
from reviewapp.traces.metadata import index
from reviewapp.traces.models import Trace
from tests import factories

pytestmark = pytest.mark.django_db

ALL = [value for name, value in vars(factories).items() if name.endswith("Factory") and name != "DjangoModelFactory"]


@pytest.mark.parametrize("factory", ALL)
def test_it_makes_valid_rows(factory: Any) -> None:
    for row in factory.create_batch(2):
        row.full_clean(exclude=[field.name for field in row._meta.fields if field.null])


def test_it_keeps_a_trace_in_the_index() -> None:
    trace: Trace = factories.TraceFactory.create(metadata='{"customer":"acme"}')

    found = index.matching(trace.project, [("customer", "acme")])
    assert [posting.trace for posting in found] == [trace]


def test_it_ties_a_review_to_a_patch_of_its_trace() -> None:
    review: Review = factories.ReviewFactory.create()

    assert review.patch.trace_id == review.item.trace_id
    assert review.patch.project == review.item.queue.project


def test_it_opens_a_key_to_its_secret() -> None:
    assert factories.LaminarKeyFactory.create(secret="another secret").secret == "another secret"


def test_it_signs_the_cast_in(reviewer_client: Client, admin_client: Client) -> None:
    assert "_auth_user_id" in reviewer_client.session
    assert admin_client.session["_auth_user_id"] != reviewer_client.session["_auth_user_id"]
