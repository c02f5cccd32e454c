"""Simulated reviewers outside the app, who record their acknowledged saves."""

import http.client
import random
import threading
import time
from dataclasses import dataclass, field
from string import ascii_lowercase
from uuid import UUID, uuid4

from benchmarks.browser import Browser, Response
from tests.faults.database_state import CSRF_TOKEN, signed_in_browser
from tests.faults.processes import wait_until


@dataclass(frozen=True, slots=True)
class AcknowledgedSave:
    """An acknowledged save: the item and its new version, the answers, and the time and tries it took."""

    item: int
    version: int
    score: str
    notes: str
    reviewer: str
    seconds: float
    tries: int


@dataclass(slots=True)
class Reviewer:
    """A reviewer with items of their own, who saves one after another and repeats each until it is acknowledged."""

    url: str
    name: str
    items: list[int]
    stop: threading.Event
    pause: float = 0.0
    acknowledged: list[AcknowledgedSave] = field(default_factory=list)
    # Responses that neither accept the save nor ask for a retry.
    unexpected: list[str] = field(default_factory=list)
    # The number of tries without a response.
    unanswered: int = 0

    def work(self, browser: Browser) -> None:
        """Save until `stop` is set; the current save is finished first."""
        versions = dict.fromkeys(self.items, 0)
        while not self.stop.is_set():
            item = random.choice(self.items)
            self.save(browser, item, versions[item])
            versions[item] += 1
            time.sleep(self.pause)

    def save(self, browser: Browser, item: int, version: int) -> None:
        """Submit one review of an item at `version` until it is acknowledged; a refusal stops all reviewers."""
        # Letters only: the form asks about digits that look like a telephone number.
        score, notes = str(random.randint(0, 10) / 10), "Note " + "".join(random.choices(ascii_lowercase, k=16))
        form_data = make_form_data(str(version), notes, uuid4()) | {"score": score}
        started, tries = time.monotonic(), 0
        while True:
            tries += 1
            response = post_form(browser, f"/p/support/items/{item}/", form_data)
            if response is not None and response.status == 302:
                break
            if response is not None and response.status != 503:
                self.unexpected.append(f"{response.status} for item {item} at {version}: {response.body[:300]}")
                if response.status < 500:
                    self.stop.set()
                    return
            self.unanswered += response is None
            time.sleep(0.02)
        seconds = time.monotonic() - started
        self.acknowledged.append(AcknowledgedSave(item, version + 1, score, notes, self.name, seconds, tries))


def make_form_data(version: str, notes: str, client_id: UUID) -> dict[str, str]:
    """Return a filled review form that was opened at `version`."""
    return {
        "csrfmiddlewaretoken": CSRF_TOKEN, "version": version, "score": "1", "notes": notes,
        "client_id": str(client_id), "stay": "1",
    }  # fmt: skip


def post_form(browser: Browser, path: str, form_data: dict[str, str]) -> Response | None:
    """Post a form and return the response, None if the connection broke or was refused."""
    try:
        return browser.post(path, form_data)
    except (OSError, http.client.HTTPException):
        browser.connection = None
        return None


@dataclass(slots=True)
class ReviewerGroup:
    """Several reviewers at work at the same time, each on a thread."""

    reviewers: list[Reviewer]
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        browsers = [signed_in_browser(reviewer.name, reviewer.url) for reviewer in self.reviewers]
        for reviewer, browser in zip(self.reviewers, browsers, strict=True):
            thread = threading.Thread(target=reviewer.work, args=(browser,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def wait_until_saved(self, count: int) -> None:
        wait_until(lambda: len(self.acknowledged) >= count, 180)

    def finish(self, seconds: float = 60) -> list[AcknowledgedSave]:
        """Let each reviewer finish the current save; return all acknowledged saves."""
        for reviewer in self.reviewers:
            reviewer.stop.set()
        for thread in self.threads:
            thread.join(seconds)
        return self.acknowledged

    @property
    def acknowledged(self) -> list[AcknowledgedSave]:
        return [save for reviewer in self.reviewers for save in reviewer.acknowledged]

    @property
    def unexpected(self) -> list[str]:
        return [line for reviewer in self.reviewers for line in reviewer.unexpected]

    @property
    def unanswered(self) -> int:
        return sum(reviewer.unanswered for reviewer in self.reviewers)


def make_reviewer_group(url: str, items: list[int], count: int, pause: float = 0.0) -> ReviewerGroup:
    """Return `count` reviewers who share the items; `pause` is in seconds, after each save."""
    stop = threading.Event()
    return ReviewerGroup([Reviewer(url, f"reviewer-{n}", items[n::count], stop, pause) for n in range(count)])
