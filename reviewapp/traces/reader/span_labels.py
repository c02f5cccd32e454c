"""What a span is, in words."""

from reviewapp.traces.models import Span
from reviewapp.traces.transcript import passages

_LABELS = {"LLM": "LLM call", "CACHED": "LLM call, cached", "TOOL": "Tool", "DEFAULT": "Step", "": "Step"}


def span_label(span: Span, output: str, *, is_cut: bool = False) -> str:
    """Return a span's type in words; `output` is its output or, if it is cut, the start of it."""
    may_retrieve = span.span_type in ("TOOL", "DEFAULT") and passages.is_retrieval_name(span.name)
    if may_retrieve and (passages.read(output) or (is_cut and output[:1] in ("[", "{"))):
        return "Retrieval"
    return _LABELS.get(span.span_type) or span.span_type.replace("_", " ").capitalize()
