"""Personal data and secrets in what a reviewer wrote: found before it leaves for Laminar, and masked on wish.

A look, not a proof: it knows the shapes below and nothing else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reviewapp.accounts.models import PersonalData
from reviewapp.queues import criteria
from reviewapp.queues.criteria import Criterion
from reviewapp.queues.models import Queue

_EMAIL = r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*\.[A-Za-z]{2,24}"
_CARD = r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\.?\w)"
_IBAN = r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"
_PHONE = (
    r"(?<![\w.])(?:\+|00)\d(?:[ ().\/-]{0,2}\d){7,13}(?![\w])"
    r"|(?<![\w.])\(?0\d{2,4}\)?[ \/-](?:[ -]?\d){5,9}(?![\w])"
)
_KEY = (
    r"\b(?:sk|pk|rk|xox[abp]|gh[opsu]|glpat|lmnr)[-_][\w-]{12,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?i:\b(?:password|passwd|secret|token|api[_-]?key)\b\s*[:=]\s*)\S{6,}"
)
_SHAPES = {
    "a secret": _KEY, "an e-mail address": _EMAIL, "a bank account": _IBAN, "a card number": _CARD,
    "a phone number": _PHONE,
}  # fmt: skip
_FOUND = [(kind, re.compile(shape)) for kind, shape in _SHAPES.items()]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a piece of a text looks like, and where it stands."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """Notes and answers as they are to be saved; what was found in them, a sentence for each; what follows from it.

    `kept` are the keys of the answers that stay here, `keeps_notes` says so of the notes.
    """

    notes: str
    own: Mapping[str, Any]
    findings: list[str] = field(default_factory=list)
    has_to_ask: bool = False
    kept: frozenset[str] = frozenset()
    keeps_notes: bool = False


def weigh(queue: Queue, notes: str, own: Mapping[str, Any], decision: str) -> Weighed:
    """Look at all that a reviewer wrote, as the project wants it; `own` are the answers to criteria by key.

    `decision` is the reviewer's: send, mask, keep, or empty. Where nothing can be undone any more, to tell means to
    ask.
    """
    wish = queue.project.personal_data
    if wish == PersonalData.OFF:
        return Weighed(notes, own)
    in_notes = [] if queue.keeps_notes_here else told(find(notes), notes)
    in_own = {one: said for one in queue.asked if (said := _told_of(one, own.get(one.key)))}
    if not in_notes and not in_own:
        return Weighed(notes, own)
    if decision == "mask":
        hidden = {one.key: _masked(one, own[one.key]) for one in in_own}
        return Weighed(masked(notes) if in_notes else notes, {**own, **hidden})
    sentences = [f"The notes hold {' and '.join(in_notes)}."] if in_notes else []
    sentences += [f"“{one.label}” holds {' and '.join(said)}." for one, said in in_own.items()]
    has_to_ask = not decision and (wish == PersonalData.REQUIRE or queue.grace_seconds == 0)
    if decision != "keep":
        return Weighed(notes, own, sentences, has_to_ask)
    return Weighed(notes, own, sentences, kept=frozenset(one.key for one in in_own), keeps_notes=bool(in_notes))


def _told_of(criterion: Criterion, value: Any) -> list[str]:
    """What an answer to a criterion holds, in words; what the trace's own answer held is none of the reviewer's."""
    known = value["from"] if criterion.kind == "correction" and criteria.is_said(value) else ""
    return [words for text in criteria.free_texts(criterion, value) for words in told(find(text, known), text)]


def _masked(criterion: Criterion, value: Any) -> Any:
    if criterion.kind == "correction":
        return criteria.corrected(value["from"], masked(value["text"], value["from"]))
    if criterion.kind == "tags":
        return list(dict.fromkeys(masked(name)[: criteria.TAG] for name in value))
    return masked(value)


def find(text: str, known: str = "") -> list[Finding]:
    """Each suspicious piece once, in the text's order; of two that overlap the one of the more telling kind.

    What stands in the text `known` is no news.
    """
    found: list[Finding] = []
    for kind, shape in _FOUND:
        for match in shape.finditer(text):
            start, end = match.span()
            is_free = all(end <= other.start or start >= other.end for other in found)
            if is_free and match[0] not in known and (kind != "a card number" or _is_card(match[0])):
                found.append(Finding(kind, start, end))
    return sorted(found, key=lambda finding: finding.start)


def masked(text: str, known: str = "") -> str:
    """The text with each finding replaced by what it was: `[e-mail address]`."""
    for finding in reversed(find(text, known)):
        words = finding.kind.partition(" ")[2]
        text = f"{text[: finding.start]}[{words}]{text[finding.end :]}"
    return text


def told(findings: list[Finding], text: str) -> list[str]:
    """Each finding in words, its text shortened: `an e-mail address (ann@…)`."""
    return [f"{finding.kind} ({text[finding.start : finding.start + 4]}…)" for finding in findings]


def _is_card(text: str) -> bool:
    """Whether the digits pass the check that card numbers are made for (Luhn, ISO/IEC 7812-1)."""
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
