"""Why a model stopped, where that is worth knowing: an answer that just ended needs no note."""

import re
from typing import Any

from reviewapp.lib.shortening import shorten
from reviewapp.traces.transcript import parts
from reviewapp.traces.transcript.parts import Part

KEYS = ("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason")
# The objects in which providers put the reason, with the keys it has there.
_HOLDERS = {
    "response_metadata": KEYS, "generation_info": KEYS, "incomplete_details": ("reason",),
    "incompleteDetails": ("reason",),
}  # fmt: skip
FEEDBACK_KEYS = ("promptFeedback", "prompt_feedback")
_USUAL = frozenset(
    "stop end_turn tool_calls tool_use function_call stop_sequence complete completed eos eos_token end"
    " finish_reason_unspecified unknown tool_call load unload null none".split()
)
_LENGTH = frozenset("length max_tokens max_output_tokens model_length token_limit max_length".split())
_FILTER = frozenset(
    "content_filter content_filtered safety prohibited_content blocklist spii recitation guardrail_intervened"
    " image_safety language error_toxic".split()
)
_WORDS = (
    (_LENGTH, "Stopped at the length limit"),
    (_FILTER, "Stopped by the provider's filter"),
    (frozenset(("refusal",)), "The model refused"),
    (frozenset(("error", "malformed_function_call", "malformed_response")), "Stopped by an error"),
)


def read(fields: dict[str, Any]) -> list[Part]:
    """Return a note for each unusual reason in a message, a choice or a response."""
    reasons = [_to_text(fields.get(key)) for key in KEYS]
    for name, keys in _HOLDERS.items():
        holder = fields.get(name)
        reasons += [_to_text(holder.get(key)) for key in keys] if isinstance(holder, dict) else []
    return [parts.make("note", note) for reason in dict.fromkeys(reasons) if (note := describe(reason))]


def read_feedback(envelope: dict[str, Any]) -> list[Part]:
    """Return a note if a provider blocked the prompt itself."""
    for key in FEEDBACK_KEYS:
        feedback = envelope.get(key)
        reason = _first_reason(feedback) if isinstance(feedback, dict) else ""
        if reason:
            return [parts.make("note", f"The provider blocked the prompt ({reason}).")]
    return []


def describe(reason: str) -> str:
    """Return a sentence for an unusual reason, with the provider's own word; empty for a usual one."""
    if not reason or _normalise(reason) in _USUAL:
        return ""
    words = next((sentence for reasons, sentence in _WORDS if _normalise(reason) in reasons), "Stopped")
    return f"{words} ({shorten(reason, parts.NAME_LIMIT)})."


def _first_reason(feedback: dict[str, Any]) -> str:
    return _to_text(feedback.get("blockReason") or feedback.get("block_reason"))


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _normalise(reason: str) -> str:
    """Return a reason in lower case with underscores, without an enum's name: `FinishReason.MAX_TOKENS`."""
    return re.sub(r"[\s-]+", "_", reason.rpartition(".")[2].strip()).lower()
