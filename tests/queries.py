"""Count database queries."""

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext


def count_queries(action: Callable[[], object]) -> int:
    """Return the number of queries of the second call; the first call fills caches."""
    action()
    with CaptureQueriesContext(connection) as queries:
        action()
    return len(queries)
