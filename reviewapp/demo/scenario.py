"""What happens in a sample trace, independent of any provider's format: who says what, which tools are called.

Scenarios are written by hand; `scenario_player` turns them into spans.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

# English, regardless of the machine's locale.
MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


@dataclass(frozen=True, slots=True)
class User:
    """A user message; `image` is the file name of an attached photo."""

    text: str
    image: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """A model answer. `seconds` is its duration; 0 derives it from the length."""

    text: str
    thinking: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call by the model, with optional `words` before it. `error` is (exception type, message).

    `substeps` are the steps of an agent that runs inside the tool, `instructions` its system prompt.
    """

    name: str
    arguments: dict[str, Any]
    result: Any = None
    words: str = ""
    thinking: str = ""
    seconds: float = 0.0
    error: tuple[str, str] | None = None
    instructions: str = ""
    substeps: tuple["Step", ...] = ()


@dataclass(frozen=True, slots=True)
class Calls:
    """Several parallel tool calls by the model."""

    calls: tuple[Call, ...]
    words: str = ""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A step of the application, such as a search, that is not a tool call of the model."""

    name: str
    input: Any
    output: Any
    seconds: float = 0.0
    span_type: str = "DEFAULT"
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A call of another model outside the conversation: a guard, a judge, a title."""

    name: str
    prompt: str
    answer: str
    model: str = "gpt-4o-mini"


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A model call that fails with an exception."""

    error: tuple[str, str]
    seconds: float = 0.0


Step = User | Say | Call | Calls | Fetch | Check | FailedCall


@dataclass(frozen=True, slots=True)
class Scenario:
    """A trace to play.

    `history` is the conversation before the trace. `input` and `output` are those of the top span; None uses the
    last question and the last answer. `error` makes the top span fail. `is_single` makes the one model call the
    whole trace. `provider_format` is a key of PROVIDER_FORMATS.
    """

    agent: str
    provider_format: str
    model: str
    system: str
    steps: tuple[Step, ...]
    history: tuple[User | Say, ...] = ()
    input: Any = None
    output: Any = None
    error: tuple[str, str] | None = None
    is_single: bool = False
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Variation:
    """One variation of a scenario: a random generator and a number, so that outcomes can differ, and the date."""

    rng: random.Random
    number: int
    today: date

    def pick(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def outcome(self, *outcomes: str) -> str:
        """Return the outcome of this variation: the first for number 0, the second for number 1, and so on."""
        return outcomes[self.number % len(outcomes)]

    def id(self, prefix: str, digits: int = 5) -> str:
        return f"{prefix}{self.rng.randrange(10 ** (digits - 1), 10**digits)}"

    def iso(self, days: int) -> str:
        """Return the date `days` from today, as 2026-11-09."""
        return (self.today + timedelta(days)).isoformat()

    def day(self, days: int) -> str:
        """Return the date `days` from today, as 9 November."""
        date = self.today + timedelta(days)
        return f"{date.day} {MONTHS[date.month - 1]}"

    def weekday(self, days: int) -> str:
        return WEEKDAYS[(self.today + timedelta(days)).weekday()]


ScenarioWriter = Callable[[Variation], Scenario]
