"""A trace sent by the official SDK to a real store, and the official client."""

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
def traced_id(tracestore: RunningStore) -> str:
    """Send a trace from a separate process, because the SDK's state is global. Returns the trace id."""
    command = [sys.executable, str(PROGRAM), str(tracestore.port), tracestore.full_key]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return result.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="session")
def laminar(tracestore: RunningStore) -> Iterator[LaminarClient]:
    with LaminarClient(base_url=tracestore.url, project_api_key=tracestore.full_key) as client:
        yield client


@pytest.fixture
def trace_id() -> str:
    """An id that no other test uses."""
    return str(uuid4())
