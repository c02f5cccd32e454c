"""Personal data and secrets in a text.

A look, not a proof: it knows the shapes below and nothing else.
"""

import re
from dataclasses import dataclass

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


def find_personal_data(text: str, known: str = "") -> list[Finding]:
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


def mask_personal_data(text: str, known: str = "") -> str:
    """The text with each finding replaced by what it was: `[e-mail address]`."""
    for finding in reversed(find_personal_data(text, known)):
        words = finding.kind.partition(" ")[2]
        text = f"{text[: finding.start]}[{words}]{text[finding.end :]}"
    return text


def describe_findings(findings: list[Finding], text: str) -> list[str]:
    """Each finding in words, its text shortened: `an e-mail address (ann@…)`."""
    return [f"{finding.kind} ({text[finding.start : finding.start + 4]}…)" for finding in findings]


def _is_card(text: str) -> bool:
    """Whether the digits pass the check that card numbers are made for (Luhn, ISO/IEC 7812-1)."""
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
