"""A minimal HTTP browser of a reviewer: a session, a persistent connection, a form."""

import gzip
import http.client
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Response:
    """A response: status, Location header, body, bytes of the body as sent (compressed), and milliseconds."""

    status: int
    location: str
    body: str
    bytes_received: int
    ms: float


@dataclass(slots=True)
class Browser:
    """The session of one signed-in person."""

    base: str
    cookies: dict[str, str] = field(default_factory=dict)
    connection: http.client.HTTPConnection | None = None

    def sign_in(self, username: str, password: str) -> None:
        page = self.get("/accounts/login/")
        fields = {"csrfmiddlewaretoken": _read_csrf_token(page.body), "username": username, "password": password}
        response = self.post("/accounts/login/", fields)
        if response.status != 302:
            raise RuntimeError(f"{username} could not sign in: {response.status}.")

    def get(self, path: str, *, follow: bool = True) -> Response:
        response = self._request("GET", path, None, {})
        if follow and response.status in (301, 302, 303):
            target = self.get(response.location)
            return Response(
                target.status, response.location, target.body, target.bytes_received, response.ms + target.ms
            )
        return response

    def post(self, path: str, fields: dict[str, str], *, htmx: bool = False) -> Response:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": self.base}
        if htmx:
            headers["HX-Request"] = "true"
        return self._request("POST", path, urlencode(fields), headers)

    def _request(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Response:
        if self.connection is None:
            self.connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=60)
        all_headers = {
            "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
            "Accept-Encoding": "gzip",
            **headers,
        }
        started_at = time.perf_counter()
        self.connection.request(method, path, body, all_headers)
        response = self.connection.getresponse()
        raw_body = response.read()
        ms = (time.perf_counter() - started_at) * 1000
        for line in response.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        text = gzip.decompress(raw_body) if response.headers.get("Content-Encoding") == "gzip" else raw_body
        return Response(
            response.status, response.headers.get("Location", ""), text.decode(errors="replace"), len(raw_body), ms
        )


def open_next_item(browser: Browser, project: str, queue: str) -> Response:
    """Open the queue's next item and claim it, as its page does; again if another reviewer was faster."""
    while True:
        opened = browser.get(f"/p/{project}/queues/{queue}/review/")
        fields = {"csrfmiddlewaretoken": _read_csrf_token(opened.body)}
        if browser.post(f"{opened.location}claim/", fields, htmx=True).status == 204:
            return opened


def make_review_fields(page: str, number: int) -> dict[str, str]:
    """Return the completed review form of the item on a page."""
    version_match = re.search(r'name="version" value="(\d+)"', page)
    return {
        "csrfmiddlewaretoken": _read_csrf_token(page),
        "version": version_match[1] if version_match else "0",
        "score": f"0.{number % 10}",
        "notes": f"Benchmark note {number}: the answer leaves out a step.",
        "needs_review": "true" if number % 4 == 0 else "",
    }


def _read_csrf_token(page: str) -> str:
    match = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    if match is None:
        raise RuntimeError("The page has no form.")
    return match[1]
