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
