"""People at work outside the app, who keep their own list of what was acknowledged."""

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
    """A save that was acknowledged: the item, its version since, what was said, when it was sent, how long it took."""

    item: int
    version: int
    score: str
    notes: str
    reviewer: str
    at: float
    seconds: float
    tries: int


@dataclass(slots=True)
class Reviewer:
    """One reviewer with items of their own: saves one after another, and the same again until it is answered."""

    url: str
    name: str
    items: list[int]
    stop: threading.Event
    pause: float = 0.0
    acknowledged: list[AcknowledgedSave] = field(default_factory=list)
    # Answers that were neither a yes nor a try again.
    unexpected: list[str] = field(default_factory=list)
    # Tries that were not answered.
    unanswered: int = 0

    def work(self, browser: Browser) -> None:
        """Save until told to stop; what is begun is brought to its end."""
        versions = dict.fromkeys(self.items, 0)
        while not self.stop.is_set():
            item = random.choice(self.items)
            self.save(browser, item, versions[item])
            versions[item] += 1
            time.sleep(self.pause)

    def save(self, browser: Browser, item: int, version: int) -> None:
        """Submit one review of an item that is at `version`, until there is an answer; a no ends the work."""
        # Letters only: digits may look like somebody's telephone number, about which the form asks.
        score, notes = str(random.randint(0, 10) / 10), "Note " + "".join(random.choices(ascii_lowercase, k=16))
        fields = make_form_data(str(version), notes, uuid4()) | {"score": score}
        at, began, tries = time.time(), time.monotonic(), 0
        while True:
            tries += 1
            answer = post_form(browser, f"/p/support/items/{item}/", fields)
            if answer is not None and answer.status == 302:
                break
            if answer is not None and answer.status != 507:
                self.unexpected.append(f"{answer.status} for item {item} at {version}: {answer.body[:300]}")
                if answer.status < 500:
                    self.stop.set()
                    return
            self.unanswered += answer is None
            time.sleep(0.02)
        seconds = time.monotonic() - began
        self.acknowledged.append(AcknowledgedSave(item, version + 1, score, notes, self.name, at, seconds, tries))


def make_form_data(version: str, notes: str, client_id: UUID) -> dict[str, str]:
    """A filled form that was opened at `version`."""
    return {
        "csrfmiddlewaretoken": CSRF_TOKEN, "version": version, "score": "1", "notes": notes,
        "client_id": str(client_id), "stay": "1",
    }  # fmt: skip


def post_form(browser: Browser, path: str, fields: dict[str, str]) -> Response | None:
    """The answer to a form, None when the connection broke or nobody listens."""
    try:
        return browser.post(path, fields)
    except (OSError, http.client.HTTPException):
        browser.connection = None
        return None


@dataclass(slots=True)
class ReviewerGroup:
    """Several at once, each on a thread."""

    reviewers: list[Reviewer]
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        browsers = [signed_in_browser(person.name, person.url) for person in self.reviewers]
        for person, browser in zip(self.reviewers, browsers, strict=True):
            thread = threading.Thread(target=person.work, args=(browser,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def wait_until_saved(self, count: int) -> None:
        wait_until(lambda: len(self.acknowledged) >= count, 60)

    def finish(self, seconds: float = 60) -> list[AcknowledgedSave]:
        """Let each bring its save to an end; all that was acknowledged."""
        for person in self.reviewers:
            person.stop.set()
        for thread in self.threads:
            thread.join(seconds)
        return self.acknowledged

    @property
    def acknowledged(self) -> list[AcknowledgedSave]:
        return [ack for person in self.reviewers for ack in person.acknowledged]

    @property
    def unexpected(self) -> list[str]:
        return [line for person in self.reviewers for line in person.unexpected]


def make_reviewers(url: str, items: list[int], count: int, pause: float = 0.0) -> ReviewerGroup:
    """So many people, each with a part of the items."""
    stop = threading.Event()
    return ReviewerGroup([Reviewer(url, f"reviewer-{n}", items[n::count], stop, pause) for n in range(count)])
