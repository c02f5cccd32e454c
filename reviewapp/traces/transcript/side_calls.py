"""Model calls beside the conversation: they name it, check it or judge it, and none of them is the answer."""

import re

from reviewapp.traces.transcript.span_tree import SpanLike, Tree

# How much of a call's input is searched for its instructions, in characters, and how many spans above it for a name.
PROMPT_LENGTH, ANCESTORS_LIMIT = 600, 20
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_NAMES = frozenset(
    "title titles guard guardrail guardrails moderation moderate moderator judge judges judging eval evals evaluate"
    " evaluation evaluator evaluators grade grader grading scorer safety toxicity jailbreak pii followup followups"
    " suggest suggestion suggestions".split()
)
_PROMPT = re.compile(
    r"\b(?:generate|create|write|suggest|give|come up with|provide)\b[^.\n]{0,40}\b(?:title|chat name|thread name)\b"
    r"|\b(?:judge|grade|evaluate|assess|rate|score)\b[^.\n]{0,60}\b(?:answer|response|output|reply|completion)\b"
    r"|\bguardrails?\b|\bcontent moderat|\bfollow-?up questions?\b",
    re.IGNORECASE,
)


def find_side_spans(tree: Tree, model_indexes: list[int]) -> set[int]:
    """Return the model spans, by index, whose name, ancestors or instructions say that they do not answer."""
    return {index for index in model_indexes if has_side_name(tree, index) or _has_side_prompt(tree.spans[index])}


def has_side_name(tree: Tree, index: int) -> bool:
    """Whether a span or one above it is named as a check, a title or a judgement."""
    for _ in range(ANCESTORS_LIMIT):
        if index < 0 or index == tree.top:
            return False
        span = tree.spans[index]
        if span.span_type == "EVALUATOR" or not _NAMES.isdisjoint(split_words(span.name)):
            return True
        index = tree.parents[index]
    return False


def split_words(name: str) -> list[str]:
    """Split an identifier in any style into its words, in lower case."""
    return [word.lower() for word in _WORD_BREAK.split(name)]


def _has_side_prompt(span: SpanLike) -> bool:
    return bool(_PROMPT.search(span.input[:PROMPT_LENGTH]))
