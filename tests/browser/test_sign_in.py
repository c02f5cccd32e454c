from playwright.sync_api import Page, expect

from reviewapp.accounts.models import User
from tests.browser.conftest import OpenPage
from tests.factories import PASSWORD


def test_it_redirects_to_the_requested_page(page: Page, reviewer: User) -> None:
    page.goto("/p/support/queues/")
    page.get_by_label("Username").fill(reviewer.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page).to_have_url("/p/support/queues/")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_it_refuses_a_wrong_password(page: Page, reviewer: User) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(reviewer.username)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Username")).to_have_value(reviewer.username)


def test_it_signs_out(open_page: OpenPage, reviewer: User) -> None:
    page = open_page(reviewer)
    page.goto("/")
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_label("Password")).to_be_visible()


def test_it_clears_the_browser_storage_on_signing_out(open_page: OpenPage, reviewer: User) -> None:
    page = open_page(reviewer)
    page.goto("/")
    page.evaluate("localStorage.setItem('desk:reviewer:copy:1', '{}')")
    assert page.evaluate("localStorage.length")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.wait_for_function("() => localStorage.length === 0")


def test_it_warns_of_reviews_that_are_not_sent_before_signing_out(open_page: OpenPage, reviewer: User) -> None:
    page = open_page(reviewer)
    page.goto("/")
    entry = "[{'client': 'a', 'item': '1', 'url': '/', 'fields': [], 'at': 0, 'isSkip': false}]".replace("'", '\\"')
    page.evaluate(f'localStorage.setItem("desk:reviewer:outbox", "{entry}")')
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("1 review or skip is not sent yet.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
