"""The page of the parts, at an address that only this browser knows: no route of the product serves it."""

from django.template import Context, Engine
from playwright.sync_api import Page

from benchmarks.environment import ROOT

ADDRESS = "/parts/"


def open_style_guide(page: Page) -> None:
    """Render templates/style_guide.html, and have the page show it with the static files of the server it knows."""
    shown = Engine(dirs=[str(ROOT / "templates")]).get_template("style_guide.html").render(Context())
    page.route(f"**{ADDRESS}", lambda route: route.fulfill(body=shown, content_type="text/html"))
    page.goto(ADDRESS)
