"""From an empty review desk to the first review of one's own trace, against the embedded store."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_main_flow import query_metadata, run_traced_application
from tests.demo_server import Demo, run_demo

TIMEOUT = 60_000
PASSWORD = "seven quiet lamps at noon"


@pytest.fixture(scope="module")
def empty_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with run_demo(tmp_path_factory.mktemp("empty"), arguments=("--empty",)) as desk:
        yield desk


def test_it_leads_from_the_link_to_the_first_review(browser: Browser, empty_desk: Demo) -> None:
    trace_id = run_traced_application(empty_desk)
    page = browser.new_context(base_url=empty_desk.info["url"]).new_page()
    page.set_default_timeout(TIMEOUT)

    page.goto(empty_desk.info["setup_url"])
    page.get_by_label("Username").fill("ana")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Create admin").click()
    page.wait_for_url("**/setup/connect/")

    page.get_by_label("Address of Laminar's API").fill(empty_desk.info["store_url"])
    page.get_by_label("Project API key").fill("a1b2c3d4e5f6g7h8i9j0")
    page.get_by_role("button", name="Test and connect").click()
    expect(page.get_by_role("alert")).to_contain_text("The key does not work, so nothing was changed.")
    page.get_by_role("button", name="Use the embedded store").click()
    page.wait_for_url("**/p/my-project/setup/")

    expect(page.get_by_text("Started")).to_be_visible()
    expect(page.get_by_label("Pass or fail, with a critique")).to_be_checked()
    page.get_by_role("button", name="Create queue and review").click()
    page.wait_for_url("**/items/*/")
    expect(page.get_by_text("arrives within 14 days").first).to_be_visible(timeout=TIMEOUT)
    page.locator("[name=score][value='1'], [name=score]:not([type=radio])").first.check()
    page.locator("[name=notes]").fill("Right and friendly.")
    page.get_by_role("button", name="Submit").first.click()
    expect(page.locator("body")).to_contain_text("confirmed", timeout=TIMEOUT)
    assert query_metadata(empty_desk, trace_id)["notes"] == "Right and friendly."
    page.context.close()
