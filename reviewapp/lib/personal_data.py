"""Find personal data and secrets in a text.

A heuristic: it finds the patterns below and nothing else.
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
_PATTERNS = {
    "a secret": _KEY, "an e-mail address": _EMAIL, "a bank account": _IBAN, "a card number": _CARD,
    "a phone number": _PHONE,
}  # fmt: skip
_COMPILED = [(kind, re.compile(pattern)) for kind, pattern in _PATTERNS.items()]


@dataclass(frozen=True, slots=True)
class Finding:
    """What part of a text looks like, and its position."""

    kind: str
    start: int
    end: int


def find_personal_data(text: str, known: str = "") -> list[Finding]:
    """Return each suspicious part once, in text order. Of two that overlap, the earlier kind in `_PATTERNS` wins.

    Parts that also occur in `known` are ignored.
    """
    findings: list[Finding] = []
    for kind, pattern in _COMPILED:
        for match in pattern.finditer(text):
            start, end = match.span()
            is_free = all(end <= other.start or start >= other.end for other in findings)
            if is_free and match[0] not in known and (kind != "a card number" or _is_card(match[0])):
                findings.append(Finding(kind, start, end))
    return sorted(findings, key=lambda finding: finding.start)


def mask_personal_data(text: str, known: str = "") -> str:
    """Replace each finding with its kind: `[e-mail address]`."""
    for finding in reversed(find_personal_data(text, known)):
        words = finding.kind.partition(" ")[2]
        text = f"{text[: finding.start]}[{words}]{text[finding.end :]}"
    return text


def describe_findings(findings: list[Finding], text: str) -> list[str]:
    """Describe each finding, its text shortened: `an e-mail address (ann@…)`."""
    return [f"{finding.kind} ({text[finding.start : finding.start + 4]}…)" for finding in findings]


def _is_card(text: str) -> bool:
    """Whether the digits pass the checksum of card numbers (Luhn, ISO/IEC 7812-1)."""
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
