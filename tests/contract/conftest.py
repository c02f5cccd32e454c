"""A trace that the official SDK sent to a real store, and its official client."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from lmnr import LaminarClient

from tests.tracestore_server import RunningStore, tracestore

__all__ = ["tracestore"]

PROGRAM = Path(__file__).parent / "traced_program.py"


@pytest.fixture(scope="session")
def traced(tracestore: RunningStore) -> str:
    """The id of a trace that a program has sent; the SDK's state is global, so it has a process of its own."""
    command = [sys.executable, str(PROGRAM), str(tracestore.port), tracestore.full_key]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=50)
    return done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="session")
def laminar(tracestore: RunningStore) -> Iterator[LaminarClient]:
    with LaminarClient(base_url=tracestore.url, project_api_key=tracestore.full_key) as client:
        yield client


@pytest.fixture
def trace_id() -> str:
    """An id that no other test uses."""
    return str(uuid4())
