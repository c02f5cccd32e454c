"""Rubrics to start a queue from: a scale, a guideline and criteria that a team can change later."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError

from reviewapp.accounts.models import Project, User
from reviewapp.queues.creating import create_queue
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric.criteria import Criterion, Option, dump_criteria

PASS_OR_FAIL = (Option("1", "pass"), Option("0", "fail"))
ONE_TO_FIVE = (
    Option("5", "nothing to change"),
    Option("4", "good, with a flaw that the user would not mind"),
    Option("3", "usable, but the user has to correct or complete it"),
    Option("2", "mostly wrong or beside the question"),
    Option("1", "wrong, harmful or no answer"),
)
FAILURE = Criterion(
    "failure", "What went wrong?", "text", help="A few words. Use the same words for the same failure, to count them."
)
FIRST_ERROR = Criterion("first_error", "Where is the first error?", "first_error")


def _choice(key: str, label: str, **meanings: str) -> Criterion:
    options = tuple(Option(value.replace("_", " "), meaning) for value, meaning in meanings.items())
    return Criterion(key, label, "choice", options=options)


@dataclass(frozen=True, slots=True)
class QueueTemplate:
    """What a new queue starts with. `words` are the meanings of the score's values, on a scale of whole numbers."""

    slug: str
    name: str
    summary: str
    question: str
    guideline: str
    words: tuple[Option, ...] = PASS_OR_FAIL
    criteria: Sequence[Criterion] = ()

    def get_settings(self) -> dict[str, Any]:
        """The fields of the queue."""
        scores = [Decimal(option.value) for option in self.words]
        return {
            "question": self.question, "guideline": self.guideline,
            "score_min": min(scores), "score_max": max(scores), "score_step": Decimal(1),
            "criteria": dump_criteria(self.criteria, self.words),
        }  # fmt: skip


TEMPLATES = [
    QueueTemplate(
        "pass-fail", "Pass or fail, with a critique", "One decision and the reason for it. Best for most teams.",
        "Would you let this answer go to the user?",
        "Read the whole trace, then decide.\n\n- **Pass**: the user gets what they need, and nothing in it is wrong.\n"
        "- **Fail**: something is wrong or missing that the user would notice, however well the rest is written.\n\n"
        "Write a critique in the notes for both: what decided it, so that a new colleague would decide the same."
        " When in doubt, decide anyway, and tick *needs review*.",
        criteria=(FAILURE,),
    ),
    QueueTemplate(
        "one-to-five", "1 to 5", "A grade with words for each value.", "How good is the answer for the user?",
        "Judge the answer, not the effort. Begin at 5 and go down for each flaw that the user would notice.\n\n"
        "Say in the notes what kept it from being a 5.", words=ONE_TO_FIVE,
    ),
    QueueTemplate(
        "thumbs", "Thumbs", "The fastest: up or down.", "Is it good?",
        "Go by your first impression; a few seconds per trace are enough. Write notes only if you were surprised.",
        words=(Option("1", "thumbs up"), Option("0", "thumbs down")),
    ),
    QueueTemplate(
        "rag", "Answers from documents (RAG)", "Is the answer in the documents, and were they the right ones?",
        "Is the answer right and supported by the retrieved documents?",
        "Open the retrieval step first and read what was retrieved; then check each claim of the answer against it.\n\n"
        "- A claim that is true but not in the documents is **not supported**.\n"
        "- If the documents lack the answer, saying so is right.\n- Fail if one claim that matters is not supported.",
        criteria=(
            _choice("grounding", "Is it supported by the documents?", all="each claim is in the documents",
                    partly="some claims are not", no="the main claim is not", no_answer="it says it does not know"),
            _choice("retrieval", "Were the right documents retrieved?", yes="enough to answer",
                    partly="something was missing", no="none that helps"),
            FAILURE,
        ),
    ),
    QueueTemplate(
        "agent", "Agent with tools", "Did it reach the goal, and where did it first go wrong?",
        "Did the agent do what the user wanted?",
        "Follow the steps in their order. Judge the outcome first, then the way.\n\n"
        "- **Pass** if the goal is reached and nothing harmful was done, even by a detour.\n"
        "- Mark the **first** step that went wrong; what follows from it is not another error.",
        criteria=(
            _choice("outcome", "Was the goal reached?", yes="all of it", partly="some of it", no="nothing of it"),
            _choice("tools", "Did it use its tools well?", yes="right tools, right arguments",
                    detour="some calls were not needed", wrong="a wrong tool or wrong arguments"),
            FIRST_ERROR, FAILURE,
        ),
    ),
    QueueTemplate(
        "support", "Customer support", "Solved, correct by policy, in the right tone.",
        "Would you send this to the customer?",
        "Read it as the customer, then as the person who answers for it.\n\n"
        "- **Fail** if it promises what the policy does not, or leaves the customer without a next step.\n"
        "- A reply that hands over to a person is a pass if that is right here.",
        criteria=(
            _choice("resolution", "Is the problem solved?", yes="the customer need not write again",
                    partly="a next step is named", no="the customer has to ask again"),
            Criterion("policy", "Does it follow the policy?", "yes_no", asks_reason=True),
            _choice("tone", "Tone", right="friendly and clear", cold="correct but cold", wrong="would annoy"),
            FAILURE,
        ),
    ),
]  # fmt: skip
BY_SLUG = {template.slug: template for template in TEMPLATES}


def create_from_template(project: Project, template: QueueTemplate, actor: User | str) -> Queue:
    """Create the template's queue. Raises ValidationError if the project has one of its name or address."""
    return create_queue(project, template.slug, template.name, actor, **template.get_settings())


def get_template(slug: str) -> QueueTemplate:
    """Raises ValidationError if there is none with this name."""
    if slug not in BY_SLUG:
        raise ValidationError("Choose one of the templates.")
    return BY_SLUG[slug]
