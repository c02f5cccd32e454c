"""What happens in a made-up trace, told without a provider's shape: who said what, which tools were called.

A script is written by hand; `stage` plays it into spans.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

# English whatever the machine's locale.
MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


@dataclass(frozen=True, slots=True)
class User:
    """The user speaks; `image` is the name of a photo that came along."""

    text: str
    image: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """The model answers. `seconds` is how long it took, 0 to derive it from the length."""

    text: str
    thinking: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """The model calls a tool, perhaps with a few words. `error` is (exception type, message).

    `inner` are the steps of an agent that works inside the tool, `brief` what it was told to do.
    """

    name: str
    arguments: dict[str, Any]
    result: Any = None
    words: str = ""
    thinking: str = ""
    seconds: float = 0.0
    error: tuple[str, str] | None = None
    brief: str = ""
    inner: tuple["Step", ...] = ()


@dataclass(frozen=True, slots=True)
class Calls:
    """The model calls several tools at once."""

    calls: tuple[Call, ...]
    words: str = ""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A step of the application itself, such as a search, that the model does not see as a call."""

    name: str
    given: Any
    found: Any
    seconds: float = 0.0
    span_type: str = "DEFAULT"
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Another model looks at something, apart from the conversation: a guard, a judge, a title."""

    name: str
    prompt: str
    answer: str
    model: str = "gpt-4o-mini"


@dataclass(frozen=True, slots=True)
class Break:
    """A model call that fails with an exception."""

    error: tuple[str, str]
    seconds: float = 0.0


Step = User | Say | Call | Calls | Fetch | Check | Break


@dataclass(frozen=True, slots=True)
class Scenario:
    """A trace to play. `earlier` is the conversation before it; `asked` and `returned` are the top span's input and
    output where they are not simply the last question and the last answer; `error` breaks the top span. With
    `is_single` the one model call is the whole trace.
    """

    agent: str
    dialect: str
    model: str
    system: str
    steps: tuple[Step, ...]
    earlier: tuple[User | Say, ...] = ()
    asked: Any = None
    returned: Any = None
    error: tuple[str, str] | None = None
    is_single: bool = False
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Variation:
    """One playing of a script: its chance and number, so that a script can turn out in several ways, and its day."""

    chance: random.Random
    number: int
    today: date

    def pick(self, *choices: str) -> str:
        return self.chance.choice(choices)

    def turn(self, *outcomes: str) -> str:
        """The outcome of this playing: the first time the first one, the second time the second."""
        return outcomes[self.number % len(outcomes)]

    def id(self, prefix: str, digits: int = 5) -> str:
        return f"{prefix}{self.chance.randrange(10 ** (digits - 1), 10**digits)}"

    def iso(self, days: int) -> str:
        """The date so many days from today, as 2026-11-09."""
        return (self.today + timedelta(days)).isoformat()

    def day(self, days: int) -> str:
        """The date so many days from today, as 9 November."""
        date = self.today + timedelta(days)
        return f"{date.day} {MONTHS[date.month - 1]}"

    def weekday(self, days: int) -> str:
        return WEEKDAYS[(self.today + timedelta(days)).weekday()]


ScenarioWriter = Callable[[Variation], Scenario]
