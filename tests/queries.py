"""How often a page asks the database."""

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext


def count_queries(act: Callable[[], object]) -> int:
    """How many queries the act asks the second time: the first may fill a cache."""
    act()
    with CaptureQueriesContext(connection) as asked:
        act()
    return len(asked)
