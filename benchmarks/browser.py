"""A reviewer's browser as far as a benchmark needs one: a session, a kept connection, a form."""

import gzip
import http.client
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: status, where to go on, the body, its bytes as sent, and the milliseconds it took."""

    status: int
    location: str
    body: str
    bytes_received: int
    ms: float


@dataclass(slots=True)
class Browser:
    """One signed-in person."""

    base: str
    cookies: dict[str, str] = field(default_factory=dict)
    connection: http.client.HTTPConnection | None = None

    def sign_in(self, username: str, password: str) -> None:
        page = self.get("/accounts/login/")
        fields = {"csrfmiddlewaretoken": _token(page.body), "username": username, "password": password}
        answer = self.post("/accounts/login/", fields)
        if answer.status != 302:
            raise RuntimeError(f"{username} could not sign in: {answer.status}.")

    def get(self, path: str, *, follow: bool = True) -> Response:
        answer = self._ask("GET", path, None, {})
        if follow and answer.status in (301, 302, 303):
            further = self.get(answer.location)
            return Response(
                further.status, answer.location, further.body, further.bytes_received, answer.ms + further.ms
            )
        return answer

    def post(self, path: str, fields: dict[str, str], *, htmx: bool = False) -> Response:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": self.base}
        if htmx:
            headers["HX-Request"] = "true"
        return self._ask("POST", path, urlencode(fields), headers)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Response:
        if self.connection is None:
            self.connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=60)
        sent = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), "Accept-Encoding": "gzip", **headers}
        began = time.perf_counter()
        self.connection.request(method, path, body, sent)
        response = self.connection.getresponse()
        raw = response.read()
        ms = (time.perf_counter() - began) * 1000
        for line in response.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        text = gzip.decompress(raw) if response.headers.get("Content-Encoding") == "gzip" else raw
        return Response(
            response.status, response.headers.get("Location", ""), text.decode(errors="replace"), len(raw), ms
        )


def make_review_fields(page: str, number: int) -> dict[str, str]:
    """A filled form for the item a page shows."""
    version = re.search(r'name="version" value="(\d+)"', page)
    return {
        "csrfmiddlewaretoken": _token(page),
        "version": version[1] if version else "0",
        "score": f"0.{number % 10}",
        "notes": f"Benchmark note {number}: the answer leaves out a step.",
        "needs_review": "true" if number % 4 == 0 else "",
    }


def _token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    if found is None:
        raise RuntimeError("The page holds no form.")
    return found[1]
