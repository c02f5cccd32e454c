"""One review from the traced application to the filter view, without any test double."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from lmnr import LaminarClient
from playwright.sync_api import Browser, Page, expect

from benchmarks.environment import ROOT
from tests.demo_server import Demo, run_demo

TIMEOUT = 60_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with run_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture
def signed_in_page(browser: Browser, demo: Demo) -> Iterator[Any]:
    contexts = []

    def sign_in(role: str) -> Page:
        context = browser.new_context(base_url=demo.info["url"])
        contexts.append(context)
        page = context.new_page()
        person = demo.person(role)
        page.goto("/accounts/login/")
        page.get_by_label("Username").fill(person["username"])
        page.get_by_label("Password").fill(person["password"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**/p/{demo.info['project']}/")
        return page

    yield sign_in
    for context in contexts:
        context.close()


def run_traced_application(demo: Demo) -> str:
    """Run the traced application against the demo's store; return its trace's id."""
    store = urlsplit(demo.info["store_url"])
    program = [sys.executable, "-m", "tests.traced_application", str(store.hostname), str(store.port)]
    process = subprocess.run(
        [*program, demo.info["store_ingest_key"]], cwd=ROOT, check=True, capture_output=True, text=True, timeout=180
    )
    return process.stdout.split()[0]


def add_to_queue(demo: Demo, trace_id: str) -> dict[str, Any]:
    entry = {"trace_id": trace_id, "reference": "order 4471", "reason": "end to end", "priority": 9}
    request = urllib.request.Request(
        f"{demo.info['url']}/api/v1/queues/{demo.info['queue']}/items",
        data=json.dumps({"items": [entry]}).encode(),
        headers={"Authorization": f"Bearer {demo.info['access_token']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        result: dict[str, Any] = json.load(response)
    return result


def query_metadata(demo: Demo, trace_id: str) -> dict[str, Any]:
    store = urlsplit(demo.info["store_url"])
    client = LaminarClient(base_url=f"http://{store.hostname}", port=store.port, project_api_key=demo.info["store_key"])
    rows = client.sql.query("SELECT metadata FROM traces WHERE id = {id:UUID}", {"id": trace_id})
    metadata: dict[str, Any] = json.loads(rows[0]["metadata"])
    return metadata


def test_it_delivers_a_review_to_the_trace_and_filters_by_it(demo: Demo, signed_in_page: Any) -> None:
    trace_id = run_traced_application(demo)
    queued = add_to_queue(demo, trace_id)
    assert (queued["added"], queued["items"][0]["state"]) == (1, "pending")

    reviewer = signed_in_page("reviewer")
    reviewer.goto(f"/p/{demo.info['project']}/queues/{demo.info['queue']}/review/")
    expect(reviewer.get_by_text("order 4471").first).to_be_visible()
    expect(reviewer.get_by_text("arrives within 14 days").first).to_be_visible(timeout=TIMEOUT)
    reviewer.locator("[name=score]").fill("0.8")
    reviewer.locator("[name=notes]").fill("Right, but it forgot the store credit.")
    reviewer.get_by_label("Needs review").check()
    reviewer.get_by_role("button", name="Submit and next").click()
    reviewer.wait_for_url(f"**/items/*/?after={queued['items'][0]['id']}")
    expect(reviewer.locator("#left")).to_contain_text("confirmed", timeout=TIMEOUT)

    pushed = query_metadata(demo, trace_id)
    assert {name: pushed[name] for name in ("score", "notes", "needs_review", "reviewer", "review_rev")} == {
        "score": 0.8,
        "notes": "Right, but it forgot the store credit.",
        "needs_review": True,
        "reviewer": demo.person("reviewer")["username"],
        "review_rev": 1,
    }
    assert pushed["environment"] == "production"

    lead = signed_in_page("lead")
    lead.goto(f"/p/{demo.info['project']}/traces/?m=needs_review%3Dtrue&m=environment%3Dproduction")
    expect(lead.locator(f'a.row[href*="{trace_id}"]')).to_be_visible()


def test_it_pushes_after_a_key_rotation(demo: Demo, signed_in_page: Any) -> None:
    admin = signed_in_page("admin")
    admin.goto(f"/p/{demo.info['project']}/keys/")
    admin.get_by_label("New Laminar key").fill("wrong")
    admin.get_by_role("button", name="Replace key").click()
    expect(admin.get_by_role("alert")).to_contain_text("nothing was changed")
    admin.get_by_label("New Laminar key").fill(demo.info["store_key"])
    admin.get_by_role("button", name="Replace key").click()
    expect(admin.get_by_role("status").first).to_contain_text("is now active")
    expect(admin.locator("body")).not_to_contain_text(demo.info["store_key"])

    trace_id = run_traced_application(demo)
    queued = add_to_queue(demo, trace_id)
    reviewer = signed_in_page("reviewer")
    reviewer.goto(f"/p/{demo.info['project']}/items/{queued['items'][0]['id']}/")
    reviewer.locator("[name=score]").fill("1")
    reviewer.get_by_role("button", name="Submit and next").click()
    expect(reviewer.locator("#left")).to_contain_text("confirmed", timeout=TIMEOUT)
    assert query_metadata(demo, trace_id)["score"] == 1


def test_it_shows_a_queued_trace_once_it_arrives(demo: Demo, signed_in_page: Any) -> None:
    trace_id = "7c1e0000-0000-4000-8000-00000000" + f"{time.time_ns() % 65536:04x}"
    queued = add_to_queue(demo, trace_id)
    reviewer = signed_in_page("reviewer")
    reviewer.goto(f"/p/{demo.info['project']}/items/{queued['items'][0]['id']}/")
    expect(reviewer.get_by_text("This trace has not been pulled yet")).to_be_visible()
    span = {
        "name": "late", "traceId": trace_id, "spanId": trace_id,
        "startTime": "2026-11-22T10:00:00Z", "endTime": "2026-11-22T10:00:01Z",
        "input": "Did it come?", "output": "It came late.",
    }  # fmt: skip
    request = urllib.request.Request(
        f"{demo.info['store_url']}/v1/spans",
        data=json.dumps([span]).encode(),
        headers={"Authorization": f"Bearer {demo.info['store_ingest_key']}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=60).close()
    expect(reviewer.get_by_text("It came late.").first).to_be_visible(timeout=TIMEOUT)
