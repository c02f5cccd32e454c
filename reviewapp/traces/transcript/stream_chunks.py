"""Join the chunks of a streamed response into the message that a reader saw.

Supports the streams of OpenAI (chat, completions, responses), Anthropic, Gemini, Bedrock, Cohere, Ollama, LangChain and
the Vercel AI SDK, as a list, as server-sent events or as a JSON object per line. Every chunk is looked at once.
"""

import re
from typing import Any

from reviewapp.lib import exact_json

Fields = dict[str, Any]

_TEXT_EVENTS = {
    "text-delta": "text", "text": "text", "reasoning-delta": "thinking", "reasoning": "thinking",
    "response.output_text.delta": "text", "response.reasoning_summary_text.delta": "thinking",
    "response.reasoning_text.delta": "thinking", "response.refusal.delta": "refusal", "content-delta": "text",
    "text-generation": "text",
}  # fmt: skip
_ANTHROPIC_EVENTS = ("message_start", "content_block_start", "content_block_delta", "message_delta")
_BEDROCK_EVENTS = ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop")
# Levels of a chunk that are merged, and list items that one may go on with.
DEPTH_LIMIT, ITEMS_LIMIT = 6, 20
# Of two chunks, the texts under these keys are the same or replace each other.
_CONSTANT = frozenset("id role object model type name finish_reason system_fingerprint created index".split())
_SSE_DATA = re.compile(r"^data:[ ]?(.*)$", re.MULTILINE)


def read_lines(text: str) -> list[Any] | None:
    """Return the chunks in server-sent events or in JSON lines; None for any other text."""
    if text.startswith(("data:", "event:")):
        lines = [match[1] for match in _SSE_DATA.finditer(text) if match[1].strip() not in ("", "[DONE]")]
    else:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) < 2 or not all(line.startswith("{") for line in lines):
            return None
    try:
        chunks = [exact_json.loads(line, has_constants=True) for line in lines]
    except (ValueError, RecursionError):
        return None
    return chunks if len(chunks) > 1 and all(isinstance(chunk, dict) for chunk in chunks) else None


def join(chunks: list[Any]) -> Fields | None:
    """Join a list of chunks into a message, a choice or a response; None if they are no stream."""
    if len(chunks) < 2 or not all(isinstance(chunk, dict) for chunk in chunks):
        return None
    for join_shape in (_join_choices, _join_anthropic, _join_events, _join_gemini, _join_bedrock, _join_messages):
        try:
            joined = join_shape(chunks)
        except RecursionError:
            return None
        if joined is not None:
            return joined
    return None


def join_texts(texts: list[Any]) -> str | None:
    """Join a list of strings if it reads like the chunks of one text and not like a list of values."""
    if len(texts) < 2 or not all(isinstance(text, str) and text for text in texts):
        return None
    has_edges = any(text[0].isspace() or text[-1].isspace() for text in texts)
    goes_on = texts[0][0].isupper() and not any(text[0].isupper() for text in texts[1:])
    has_marks = any(not any(char.isalnum() for char in text) for text in texts)
    return "".join(texts) if has_edges or goes_on or has_marks else None


def _join_choices(chunks: list[Fields]) -> Fields | None:
    """Join OpenAI's chunks: each has choices with a delta or, for completions, with a text."""
    by_chunk = [chunk["choices"] if isinstance(chunk.get("choices"), list) else [] for chunk in chunks]
    choices = [choice for chunk_choices in by_chunk for choice in chunk_choices]
    if not all("choices" in chunk or "usage" in chunk or "error" in chunk for chunk in chunks):
        return None
    is_delta = [isinstance(choice, dict) and ("delta" in choice or "text" in choice) for choice in choices]
    if not is_delta or not all(is_delta):
        return None
    joined = _merge_by_index(choices)
    for choice in joined:
        if isinstance(choice.get("delta"), dict):
            choice["message"] = {"role": "assistant", **choice.pop("delta")}
    errors = [chunk["error"] for chunk in chunks if chunk.get("error")]
    return {"choices": joined, **({"error": errors[0]} if errors else {})}


class _Pieces(list[str]):
    """The pieces of one text, joined at the end: joining at each chunk would cost the square of their number."""


def _merge_by_index(items: list[Fields]) -> list[Fields]:
    """Merge the chunks of each choice or candidate, in order of their indexes."""
    merged: dict[int, Fields] = {}
    for item in items:
        index = item["index"] if isinstance(item.get("index"), int) else 0
        _merge(merged.setdefault(index, {}), item, 0)
    return [_finish(merged[index]) for index in sorted(merged)]


def _merge(merged: Fields, chunk: Fields, depth: int) -> None:
    """Add a chunk to what the chunks before it said: texts are joined, list items with an index are merged."""
    for key, value in chunk.items():
        known = merged.get(key)
        if value is None:
            merged.setdefault(key, None)
        elif isinstance(value, str) and key not in _CONSTANT:
            if isinstance(known, _Pieces):
                known.append(value)
            else:
                merged[key] = _Pieces([value])
        elif isinstance(value, dict) and depth < DEPTH_LIMIT:
            inner = known if isinstance(known, dict) else {}
            merged[key] = inner
            _merge(inner, value, depth + 1)
        elif isinstance(value, list) and depth < DEPTH_LIMIT:
            merged[key] = _merge_lists(known if isinstance(known, list) else [], value, depth + 1)
        elif value != "" or known is None:
            merged[key] = value


def _merge_lists(known: list[Any], added: list[Any], depth: int) -> list[Any]:
    for item in added:
        index = item.get("index") if isinstance(item, dict) else None
        # Chunks go on with the last items, so only those are compared.
        others = known[-ITEMS_LIMIT:] if isinstance(index, int) else []
        match = next((other for other in others if isinstance(other, dict) and other.get("index") == index), None)
        if match is not None:
            _merge(match, item, depth)
        elif isinstance(item, dict) and isinstance(index, int):
            known.append({})
            _merge(known[-1], item, depth)
        else:
            known.append(item)
    return known


def _finish(value: Any) -> Any:
    """Join the pieces of all texts in a merged value."""
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {key: _finish(item) if isinstance(item, (dict, list)) else item for key, item in value.items()}
    if isinstance(value, list):
        return [_finish(item) if isinstance(item, (dict, list)) else item for item in value]
    return value


def _join_anthropic(chunks: list[Fields]) -> Fields | None:
    if not any(chunk.get("type") in _ANTHROPIC_EVENTS for chunk in chunks):
        return None
    message: Fields = {}
    blocks: dict[int, Fields] = {}
    for chunk in chunks:
        index = chunk["index"] if isinstance(chunk.get("index"), int) else 0
        delta = chunk.get("delta")
        if chunk.get("type") == "message_start" and isinstance(chunk.get("message"), dict):
            message.update(chunk["message"])
        elif chunk.get("type") == "content_block_start" and isinstance(chunk.get("content_block"), dict):
            blocks[index] = dict(chunk["content_block"])
        elif chunk.get("type") == "message_delta" and isinstance(delta, dict):
            message.update(delta)
        elif isinstance(delta, dict):
            _add_anthropic_delta(blocks.setdefault(index, {"type": "text", "text": ""}), delta)
        elif chunk.get("type") == "error":
            message["error"] = chunk.get("error")
    for block in blocks.values():
        if "partial_json" in block:
            block["input"] = block.pop("partial_json")
    return {**message, "role": "assistant", "content": [_finish(blocks[index]) for index in sorted(blocks)]}


def _add_anthropic_delta(block: Fields, delta: Fields) -> None:
    for key, value in delta.items():
        if key == "citation":
            known = block.get("citations")
            block["citations"] = known if isinstance(known, list) else []
            block["citations"].append(value)
        elif key != "type" and isinstance(value, str):
            known = block.get(key)
            block[key] = known if isinstance(known, _Pieces) else _Pieces([known] if isinstance(known, str) else [])
            block[key].append(value)


def _join_events(chunks: list[Fields]) -> Fields | None:
    """Join events that are named by their type and carry a piece of text: Vercel, OpenAI's responses, Cohere."""
    for chunk in chunks:
        if chunk.get("type") in ("response.completed", "response.incomplete", "response.failed"):
            response = chunk.get("response")
            return response if isinstance(response, dict) else None
    blocks: list[Fields] = []
    texts: list[list[str]] = []
    is_stream = False
    for chunk in chunks:
        event = chunk.get("type", chunk.get("event_type"))
        kind = _TEXT_EVENTS.get(event) if isinstance(event, str) else None
        text = _event_text(chunk) if kind else None
        if text is None:
            blocks += [chunk] if event in ("tool-call", "tool-result", "source", "error") else []
            texts += [[]] if len(blocks) > len(texts) else []
            continue
        is_stream = is_stream or event not in ("text", "reasoning")
        if not blocks or blocks[-1].get("type") != kind:
            blocks.append({"type": kind})
            texts.append([])
        texts[-1].append(text)
    if not is_stream:
        return None
    for block, pieces in zip(blocks, texts, strict=True):
        if pieces:
            block["text"] = "".join(pieces)
    return {"role": "assistant", "content": blocks}


def _event_text(chunk: Fields) -> str | None:
    value: Any = next((chunk[key] for key in ("delta", "textDelta", "text") if chunk.get(key) is not None), None)
    for key in ("message", "content", "text"):
        value = value.get(key) if isinstance(value, dict) else value
    return value if isinstance(value, str) else None


def _join_gemini(chunks: list[Fields]) -> Fields | None:
    """Join responses of Gemini whose candidates carry the next parts of one content each."""
    if not all(isinstance(chunk.get("candidates"), list) or "usageMetadata" in chunk for chunk in chunks):
        return None
    by_chunk = [chunk["candidates"] if isinstance(chunk.get("candidates"), list) else [] for chunk in chunks]
    candidates = [candidate for chunk_candidates in by_chunk for candidate in chunk_candidates]
    if not candidates or not all(isinstance(candidate, dict) for candidate in candidates):
        return None
    joined = _merge_by_index(candidates)
    response = {key: value for chunk in chunks for key, value in chunk.items() if key != "candidates"}
    for candidate in joined:
        content = candidate.get("content")
        if isinstance(content, dict) and isinstance(content.get("parts"), list):
            content["parts"] = _join_text_parts(content["parts"])
    return {**response, "candidates": joined}


def _join_text_parts(content_parts: list[Any]) -> list[Any]:
    """Join neighbouring text parts of one kind."""
    joined: list[Any] = []
    for part in content_parts:
        last = joined[-1] if joined else None
        is_text = isinstance(part, dict) and isinstance(part.get("text"), str)
        if not is_text:
            joined.append(part)
        elif isinstance(last, dict) and last.keys() == part.keys() and last.get("thought") == part.get("thought"):
            last["text"].append(part["text"])
        else:
            joined.append({**part, "text": _Pieces([part["text"]])})
    return [_finish(part) for part in joined]


def _join_bedrock(chunks: list[Fields]) -> Fields | None:
    if not any(isinstance(chunk.get("contentBlockDelta"), dict) for chunk in chunks):
        return None
    blocks: dict[int, Fields] = {}
    message: Fields = {"role": "assistant"}
    for chunk in chunks:
        for event in _BEDROCK_EVENTS:
            fields = chunk.get(event)
            if not isinstance(fields, dict):
                continue
            index = fields["contentBlockIndex"] if isinstance(fields.get("contentBlockIndex"), int) else 0
            added = fields.get("delta", fields.get("start"))
            if isinstance(added, dict):
                _merge(blocks.setdefault(index, {}), added, 0)
            elif event in ("messageStart", "messageStop"):
                message.update(fields)
    return {**message, "content": [_finish(blocks[index]) for index in sorted(blocks)]}


def _join_messages(chunks: list[Fields]) -> Fields | None:
    """Join Ollama's responses, each with `done` and a piece of the message, and LangChain's message chunks."""
    if all(chunk.get("type") == "AIMessageChunk" for chunk in chunks):
        joined: Fields = {}
        for chunk in chunks:
            _merge(joined, chunk, 0)
        return {**_finish(joined), "type": "ai", "role": "assistant"}
    if not all(isinstance(chunk.get("done"), bool) for chunk in chunks):
        return None
    joined = {}
    for chunk in chunks:
        message = chunk.get("message")
        text = {"content": chunk["response"]} if isinstance(chunk.get("response"), str) else {}
        _merge(joined, message if isinstance(message, dict) else text, 0)
    return {"done_reason": chunks[-1].get("done_reason"), **_finish(joined), "role": "assistant"}
