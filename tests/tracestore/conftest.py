"""A shared store and clients that send its keys."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.tracestore_server import RunningStore, tracestore

__all__ = ["tracestore"]


@pytest.fixture(scope="session")
def full_client(tracestore: RunningStore) -> Iterator[httpx.Client]:
    """Sends the full key."""
    with tracestore.client() as client:
        yield client


@pytest.fixture(scope="session")
def ingest_client(tracestore: RunningStore) -> Iterator[httpx.Client]:
    """Sends the ingest-only key."""
    with tracestore.client(tracestore.ingest_key) as client:
        yield client


@pytest.fixture
def trace_id() -> str:
    """An id that no other test uses."""
    return str(uuid4())
