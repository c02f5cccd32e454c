"""The style guide page. No route of the product serves it: the test browser answers its URL itself."""

from pathlib import Path

from playwright.sync_api import Page

PATH = "/style-guide/"
HTML = Path(__file__).with_suffix(".html")


def open_style_guide(page: Page) -> None:
    """Show the style guide with the static files of the page's own server."""
    page.route(f"**{PATH}", lambda route: route.fulfill(path=HTML, content_type="text/html"))
    page.goto(PATH)
