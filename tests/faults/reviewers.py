"""People at work outside the app, who keep their own list of what was acknowledged."""

import http.client
import random
import threading
import time
from dataclasses import dataclass, field
from string import ascii_lowercase
from uuid import UUID, uuid4

from benchmarks.browser import Answer, Browser
from tests.faults.database_state import TOKEN, browser_of
from tests.faults.processes import until


@dataclass(frozen=True, slots=True)
class Ack:
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
class Person:
    """One reviewer with items of their own: saves one after another, and the same again until it is answered."""

    url: str
    name: str
    items: list[int]
    stop: threading.Event
    pause: float = 0.0
    acks: list[Ack] = field(default_factory=list)
    # Answers that were neither a yes nor a try again.
    odd: list[str] = field(default_factory=list)
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
        fields = form(str(version), notes, uuid4()) | {"score": score}
        at, began, tries = time.time(), time.monotonic(), 0
        while True:
            tries += 1
            answer = post(browser, f"/p/support/items/{item}/", fields)
            if answer is not None and answer.status == 302:
                break
            if answer is not None and answer.status != 507:
                self.odd.append(f"{answer.status} for item {item} at {version}: {answer.body[:300]}")
                if answer.status < 500:
                    self.stop.set()
                    return
            self.unanswered += answer is None
            time.sleep(0.02)
        seconds = time.monotonic() - began
        self.acks.append(Ack(item, version + 1, score, notes, self.name, at, seconds, tries))


def form(version: str, notes: str, client_id: UUID) -> dict[str, str]:
    """A filled form that was opened at `version`."""
    return {
        "csrfmiddlewaretoken": TOKEN, "version": version, "score": "1", "notes": notes, "client_id": str(client_id),
        "stay": "1",
    }  # fmt: skip


def post(browser: Browser, path: str, fields: dict[str, str]) -> Answer | None:
    """The answer to a form, None when the connection broke or nobody listens."""
    try:
        return browser.post(path, fields)
    except (OSError, http.client.HTTPException):
        browser.connection = None
        return None


@dataclass(slots=True)
class People:
    """Several at once, each on a thread."""

    each: list[Person]
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        browsers = [browser_of(person.name, person.url) for person in self.each]
        for person, browser in zip(self.each, browsers, strict=True):
            thread = threading.Thread(target=person.work, args=(browser,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def until_saved(self, count: int) -> None:
        until(lambda: len(self.acks) >= count, 60)

    def finish(self, seconds: float = 60) -> list[Ack]:
        """Let each bring its save to an end; all that was acknowledged."""
        for person in self.each:
            person.stop.set()
        for thread in self.threads:
            thread.join(seconds)
        return self.acks

    @property
    def acks(self) -> list[Ack]:
        return [ack for person in self.each for ack in person.acks]

    @property
    def odd(self) -> list[str]:
        return [line for person in self.each for line in person.odd]


def people(url: str, items: list[int], count: int, pause: float = 0.0) -> People:
    """So many people, each with a part of the items."""
    stop = threading.Event()
    return People([Person(url, f"reviewer-{n}", items[n::count], stop, pause) for n in range(count)])
