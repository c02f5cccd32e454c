"""Find personal data and secrets in a text.

A heuristic: it finds the patterns below and nothing else. The time grows with the length of the text and not faster:
each pattern either reads a bounded number of characters from where it starts, or consumes what it has read.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

_EMAIL = r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z]{2,24}"
_CARD = r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\.?\w)"
_IBAN = r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"
_PHONE = (
    r"(?<![\w.])(?:\+|00)\d(?:[ ().\/-]{0,2}\d){7,13}(?![\w])"
    r"|(?<![\w.])\(?0\d{2,4}\)?[ \/-](?:[ -]?\d){5,9}(?![\w])"
)
_KEY = (
    r"\b(?:sk|pk|rk|xox[abp]|gh[opsu]|glpat|lmnr)[-_][\w-]{12,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?i:\b(?:password|passwd|secret|token|api[_-]?key)\b\s*[:=]\s*)\S{6,}"
)
# A web token has three parts. What starts like one but has fewer is read as well, so that it is read only once.
_JWT = r"\beyJ[\w-]{8,}+(\.[\w-]{8,}+\.[\w-]*+)?"
# Findings that are described one by one.
MAX_DESCRIPTIONS = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """What part of a text looks like, and its position."""

    kind: str
    start: int
    end: int


class _Pattern(NamedTuple):
    kind: str
    regex: re.Pattern[str]
    is_valid: Callable[[re.Match[str]], bool]


def find_personal_data(text: str, known: str = "") -> list[Finding]:
    """Return each suspicious part once, in text order. Of two that overlap, the earlier kind in `PATTERNS` wins.

    Parts that are found in `known` too are ignored.
    """
    findings = _find(text)
    known_parts = {known[finding.start : finding.end] for finding in _find(known)} if findings and known else set()
    return [finding for finding in findings if text[finding.start : finding.end] not in known_parts]


def mask_personal_data(text: str, known: str = "") -> str:
    """Replace each finding with its kind: `[e-mail address]`."""
    pieces, end = [], 0
    for finding in find_personal_data(text, known):
        pieces += [text[end : finding.start], f"[{finding.kind.partition(' ')[2]}]"]
        end = finding.end
    return "".join([*pieces, text[end:]])


def describe_findings(findings: list[Finding], text: str) -> list[str]:
    """Describe each finding, its text shortened: `an e-mail address (ann@…)`. Many are counted by kind instead."""
    if len(findings) > MAX_DESCRIPTIONS:
        counts = Counter(finding.kind for finding in findings)
        return [f"{kind} ({count:,} times)" if count > 1 else kind for kind, count in counts.items()]
    return [f"{finding.kind} ({text[finding.start : finding.start + 4]}…)" for finding in findings]


def _find(text: str) -> list[Finding]:
    findings: list[Finding] = []
    is_taken = bytearray(len(text))
    for pattern in PATTERNS:
        for match in pattern.regex.finditer(text):
            start, end = match.span()
            if is_taken.find(1, start, end) < 0 and pattern.is_valid(match):
                findings.append(Finding(pattern.kind, start, end))
                is_taken[start:end] = b"\x01" * (end - start)
    return sorted(findings, key=lambda finding: finding.start)


def _is_always_valid(match: re.Match[str]) -> bool:
    return True


def _has_all_parts(match: re.Match[str]) -> bool:
    return match[1] is not None


def _is_card(match: re.Match[str]) -> bool:
    """Whether the digits pass the checksum of card numbers (Luhn, ISO/IEC 7812-1)."""
    digits = [int(char) for char in match[0] if char.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


PATTERNS = (
    _Pattern("a secret", re.compile(_KEY), _is_always_valid),
    _Pattern("a secret", re.compile(_JWT), _has_all_parts),
    _Pattern("an e-mail address", re.compile(_EMAIL), _is_always_valid),
    _Pattern("a bank account", re.compile(_IBAN), _is_always_valid),
    _Pattern("a card number", re.compile(_CARD), _is_card),
    _Pattern("a phone number", re.compile(_PHONE), _is_always_valid),
)
