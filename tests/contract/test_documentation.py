"""docs/laminar.md: its snippets run, and each row of its tables names a test."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pytest_django.live_server_helper import LiveServer

from reviewapp.keys.tokens import create_token
from reviewapp.queues.models import Queue, QueueItem
from tests.tracestore.store_calls import fetch_trace
from tests.tracestore_server import ROOT, RunningStore

DOCUMENT = (ROOT / "docs" / "laminar.md").read_text()
NODE_MODULES = ROOT / "node_modules"
SDK = NODE_MODULES / "@lmnr-ai" / "lmnr"


def find_snippet(language: str) -> str:
    snippets: list[str] = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    return snippets[0]


def run_snippet(command: list[str], store: RunningStore, live_server: LiveServer, queue: Queue) -> str:
    """Run a program with the variables that the document names. Returns the trace id it printed."""
    variables = {
        "LMNR_PROJECT_API_KEY": store.full_key, "LMNR_BASE_URL": "http://127.0.0.1", "LMNR_HTTP_PORT": str(store.port),
        "DESK_URL": live_server.url, "DESK_TOKEN": create_token(queue.project, "snippet", "command"),
    }  # fmt: skip
    result = subprocess.run(
        command, env=os.environ | variables, capture_output=True, check=False, text=True, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip().splitlines()[-1]


def check(store: RunningStore, trace_id: str) -> None:
    """Check that the trace has arrived with its metadata and is in the queue."""
    with store.client() as client:
        row: dict[str, Any] = fetch_trace(client, trace_id)
    assert json.loads(row["metadata"]) == {"environment": "production", "confidence": 0.4}
    assert row["top_span_name"] == "answer"
    assert QueueItem.objects.get(trace_id=UUID(trace_id)).reference == "order 4471"


def test_it_runs_the_python_snippet(
    tracestore: RunningStore, live_server: LiveServer, queue: Queue, tmp_path: Path
) -> None:
    program = tmp_path / "snippet.py"
    program.write_text(find_snippet("python"))
    check(tracestore, run_snippet([sys.executable, str(program)], tracestore, live_server, queue))


@pytest.mark.skipif(not SDK.exists() and not os.environ.get("CI"), reason="make check installs the SDK")
def test_it_runs_the_typescript_snippet(
    tracestore: RunningStore, live_server: LiveServer, queue: Queue, tmp_path: Path
) -> None:
    node = shutil.which("node")
    assert node is not None
    (tmp_path / "node_modules").symlink_to(NODE_MODULES.resolve())
    program = tmp_path / "snippet.mjs"
    program.write_text(find_snippet("typescript"))
    check(tracestore, run_snippet([node, str(program)], tracestore, live_server, queue))


def test_it_names_an_existing_test_in_each_row() -> None:
    source = "".join(file.read_text() for file in (ROOT / "tests").glob("*/test_*.py"))
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("|") and not set(line) <= set("|- ")]
    named = [re.search(r"\| `([a-z]\w+)` \|$", line) for line in rows]
    tests = [match[1] for match in named if match]
    assert len(tests) > 30
    assert [name for name in tests if f"def test_it_{name}(" not in source] == []
    headers = ("| endpoint |", "| table |", "| SDK |", "| variable |", "| `LMNR_", "| `DESK_")
    assert [line for line, match in zip(rows, named, strict=True) if not match and not line.startswith(headers)] == []
