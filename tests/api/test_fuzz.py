"""Whatever is sent to a route of the published API, valid or not, the answer is below 500."""

from collections.abc import Iterator

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.urls import get_resolver
from schemathesis.checks import not_a_server_error

from reviewapp.api.endpoints import api
from reviewapp.queues.models import Queue
from tests import fuzz

# Loads the URL map, which the description of the API is made from.
assert get_resolver().url_patterns
PUBLISHED = schemathesis.openapi.from_dict(api.get_openapi_schema())
PUBLISHED.app = WSGIHandler()


@pytest.fixture
def kept_connection(db: None) -> Iterator[None]:
    """Requests do not close the connection that has the test's transaction; Django's own client does the same."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("kept_connection")
@pytest.mark.fuzz
@PUBLISHED.parametrize()
@fuzz.settings_for(25)
def test_it_answers_any_request(case: schemathesis.Case, token: str, queue: Queue) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=[not_a_server_error])
