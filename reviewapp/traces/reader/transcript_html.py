"""A transcript as HTML: which turns stand open, which are folded, and which are loaded only when opened.

Made here and not in a template, since the page with all of them is the one that must be quickest.
"""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID, uuid4

from django.urls import reverse

from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.models import PreparedTranscript, Trace
from reviewapp.traces.reader import lazy_links, prepared, turn_gaps, turn_html
from reviewapp.traces.reader.trace_reader import TraceReader, open_reader
from reviewapp.traces.reader.turn_gaps import END, Gap
from reviewapp.traces.transcript.parts import Part
from reviewapp.traces.transcript.transcript import Transcript
from reviewapp.traces.transcript.turns import Turn

# In characters: what all folded turns of a page may bring along, and what one open turn may show at once.
FOLDED_AT_ONCE, OPEN_AT_ONCE, REST_AT_ONCE = 6_000, 200_000, 1_000_000
CHUNK = 200_000
# Turns, and characters in them, that may stand open between question and answer.
BETWEEN, BETWEEN_SIZE = 2, 3_000
NO_ANSWER = '<p class="notice">This trace has no final answer.</p>'


@dataclass(slots=True)
class Sheet:
    """A page being filled: its address, the turn somebody wished to see, and how much may still be folded in."""

    url: str
    trace: tuple[str, UUID]
    order: tuple[Turn, ...]
    wished: int | None
    longest: Turn | None
    left: int = FOLDED_AT_ONCE

    @classmethod
    def of(cls, reading: TraceReader, wished: int | None) -> Self:
        told, trace = reading.transcript, reading.trace
        return cls(reading.url, (trace.project.slug, trace.trace_id), told.order, wished, told.longest)

    def spends(self, size: int) -> bool:
        """Whether there is room for so many characters, which are then taken."""
        self.left -= size if size <= self.left else 0
        return size <= self.left


def render_transcript(reading: TraceReader) -> str:
    """The transcript tab: all groups of turns, or the stretch that was wished."""
    if reading.prepared is not None:
        return reading.prepared.html.replace(reading.prepared.url_placeholder, reading.url)
    return _made(reading)


def prepare_transcript(trace: Trace) -> PreparedTranscript:
    """The page of a trace whose spans have come, to be kept."""
    # Nobody who wrote the trace knows this name: nothing in it is taken for the place.
    place = uuid4().hex
    reading = open_reader(trace, {}, place)
    reading.prepared = None
    return PreparedTranscript(
        trace=trace, version=prepared.version(), url_placeholder=place, html=to_storable_text(_made(reading)),
        jumps=json.dumps(reading.jumps), answer=to_storable_text(reading.answer),
        is_partial=reading.is_partial, is_empty=reading.is_empty,
    )  # fmt: skip


def _made(reading: TraceReader) -> str:
    told, wish = reading.transcript, reading.query
    sheet = Sheet.of(reading, reading.turn)
    places = _groups(told)
    if wish.turn is not None and wish.part is not None:
        return f'<p class="gap"><a href="?turn={wish.turn}#turn-{wish.turn}">Back to the turn</a></p>{piece(reading)}'
    if wish.start is not None or _is_hidden(sheet, places):
        return _stretch(sheet, wish.start)
    made = "".join(_group(told, sheet, name, shown) for name, shown in places)
    return made + NO_ANSWER if told.turns and told.answer is None else made


def piece(reading: TraceReader) -> str:
    """The part of a transcript that was wished: a turn, one part of it from a character on, or the turns of a gap."""
    told, wish = reading.transcript, reading.query
    sheet = Sheet.of(reading, None)
    if wish.is_rest:
        return _rest(told, sheet)
    if wish.turn is None:
        gap = Gap(min(wish.start or 0, len(told.turns)), min(wish.stop or 0, len(told.turns)))
        return "".join(_place(sheet, place) for place in turn_gaps.opened(gap))
    turn = told.turns[wish.turn - 1] if 0 < wish.turn <= len(told.turns) else None
    if turn is None:
        return '<p class="second">This turn is no longer there: the trace has changed. Open the page again.</p>'
    if wish.part is None or wish.part >= len(turn.message.parts):
        return f'<div class="parts" dir="auto">{_parts(turn, sheet)}</div>'
    return _rest_of(turn, wish.part, wish.start or 0, sheet)


def _groups(told: Transcript) -> list[tuple[str, list[int | Gap]]]:
    """Each group's name with its places: of what came before, the end counts most, of what came after, the begin."""
    made, at = [], 0
    sizes = (("system", told.system), ("earlier", told.earlier), ("main", told.main), ("after", told.later))
    for name, turns in sizes:
        head, tail = (0, END) if name == "earlier" else (END, END if name == "main" else 0)
        made.append((name, turn_gaps.ends_of(at, at + len(turns), head=head, tail=tail)))
        at += len(turns)
    return made


def _is_hidden(sheet: Sheet, groups: Sequence[tuple[str, list[int | Gap]]]) -> bool:
    """Whether the wished turn is there, but in a gap."""
    if sheet.wished is None or not 0 < sheet.wished <= len(sheet.order):
        return False
    shown = (sheet.order[place].number for _, places in groups for place in places if isinstance(place, int))
    return sheet.wished not in shown


def _stretch(sheet: Sheet, start: int | None) -> str:
    """A page of turns from the middle, with the way before and behind it."""
    at = start if start is not None else [turn.number for turn in sheet.order].index(sheet.wished or 0)
    gap = Gap(min(at, max(0, len(sheet.order) - 1)), len(sheet.order))
    before = f"?from={max(0, gap.start - turn_gaps.OPENED)}"
    back = f'<p class="gap"><a href="?">To the opening</a> <a href="{before}">Before these</a></p>'
    return back + "".join(_place(sheet, place) for place in turn_gaps.opened(gap))


def _group(told: Transcript, sheet: Sheet, name: str, places: list[int | Gap]) -> str:
    if name == "main" and _is_long(told):
        return _ends_first(told, sheet, places)
    inside = "".join(_place(sheet, place) for place in places)
    if not inside or name not in ("earlier", "after"):
        return inside
    count = len(told.earlier if name == "earlier" else told.later)
    words = "message" if count == 1 else "messages"
    summary = f"{count:,} earlier {words}" if name == "earlier" else f"After the answer: {count:,} more"
    return _fold(sheet, places, summary, inside)


def _fold(sheet: Sheet, places: Sequence[int | Gap], summary: str, inside: str) -> str:
    is_open = any(isinstance(place, int) and sheet.order[place].number == sheet.wished for place in places)
    return f'<details class="fold group"{" open" if is_open else ""}><summary>{summary}</summary>{inside}</details>'


def _is_long(told: Transcript) -> bool:
    """Whether there is more between question and answer than can stand there with both in sight."""
    between = told.main[1:-1]
    if told.answer is None or told.question is None or told.main[0] is not told.question:
        return False
    return len(between) > BETWEEN or sum(turn.char_count for turn in between) > BETWEEN_SIZE


def _ends_first(told: Transcript, sheet: Sheet, places: Sequence[int | Gap]) -> str:
    """Question and answer, what lies between them folded."""
    begin, *between, end = places
    inside = "".join(_place(sheet, place) for place in between)
    fold = _fold(sheet, between, _summary(told.main[1:-1]), inside)
    return f"{_place(sheet, begin)}{fold}{_place(sheet, end)}"


def _summary(between: Sequence[Turn]) -> str:
    """How much lies between question and answer, and of what kinds."""
    broken = sum(1 for turn in between if turn.error)
    kinds = (
        ("model call", len({id(turn.span) for turn in between if turn.is_output and turn.role == "assistant"})),
        ("tool call", sum(1 for turn in between if turn.role == "tool")),
    )
    told = [_counted(count, word) for word, count in kinds if count]
    error = f' <b class="broken">{_counted(broken, "error")}</b>' if broken else ""
    return f"{_counted(len(between), 'step')} between{': ' if told else ''}{', '.join(told)}{error}"


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _place(sheet: Sheet, place: int | Gap) -> str:
    if isinstance(place, Gap):
        words, extra = f"Show more of {place.stop - place.start:,} turns", f"&amp;to={place.stop}"
        return lazy_links.more(sheet.url, f"from={place.start}", words, extra=extra, look="gap")
    return _article(sheet.order[place], sheet)


def _article(turn: Turn, sheet: Sheet) -> str:
    look = f"turn {turn.role}" + (" answer" if turn.is_answer else "") + (" failed" if turn.error else "")
    look += " longest" if turn is sheet.longest else ""
    head = f'<article class="{look}" id="turn-{turn.number}">'
    if not turn.is_collapsed or turn.number == sheet.wished:
        body = _parts(turn, sheet)
        return f'{head}<header>{turn_html.heading(turn)}</header><div class="parts" dir="auto">{body}</div></article>'
    summary = turn_html.summary(turn)
    if sheet.spends(turn.char_count):
        body = f'<div class="parts" dir="auto">{_parts(turn, sheet)}</div>'
        return f'{head}<details class="fold"><summary>{summary}</summary>{body}</details></article>'
    anchor, place = f"#turn-{turn.number}", f"parts-{turn.number}"
    asked, words = f"turn={turn.number}", "Open this turn"
    return (
        f"{head}{lazy_links.later(sheet.url, asked, summary, words, look='fold', place=place, anchor=anchor)}</article>"
    )


def _parts(turn: Turn, sheet: Sheet) -> str:
    """What a turn holds, part by part; those beyond what one turn may show are loaded when asked for."""
    made, left = [turn_html.error(turn)], OPEN_AT_ONCE
    for at, part in enumerate(turn.message.parts):
        left -= len(part.text)
        if left < 0 and at:
            size = len(part.text) + part.omitted_chars
            made.append(_more(turn, at, 0, f"Show this part, {size:,} characters", sheet))
            continue
        made.append(f'<div class="part {part.kind}">{turn_html.label(part)}{_content(turn, part)}')
        made.append(f"{_picture(turn, part, sheet)}{_cut_off(turn, at, part, sheet)}</div>")
    return "".join(made)


def _content(turn: Turn, part: Part) -> str:
    # People write no markdown: their line breaks and numbers are what they are.
    return turn_html.content(part, as_written=turn.role == "user")


def _picture(turn: Turn, part: Part, sheet: Sheet) -> str:
    """An image of the trace's own, loaded when its fold is opened."""
    if not part.picture:
        return ""
    place = reverse("traces:span-image", args=[*sheet.trace, turn.span.span_id, part.picture])
    alt = html.escape(part.name or part.media)
    return (
        '<details class="fold picture"><summary>Show image</summary>'
        f'<img src="{place}" alt="{alt}" loading="lazy"></details>'
    )


def _cut_off(turn: Turn, at: int, part: Part, sheet: Sheet) -> str:
    if not part.omitted_chars:
        return ""
    if part.rest:
        return _more(turn, at, len(part.text), f"Show all, {part.omitted_chars:,} more characters", sheet)
    return f'<p class="second">{part.omitted_chars:,} more characters stand under Raw.</p>'


def _rest_of(turn: Turn, at: int, start: int, sheet: Sheet) -> str:
    """A part's text from a character on, and the way to what is left."""
    part = turn.message.parts[at]
    if start == 0:
        return f"{turn_html.label(part)}{_content(turn, part)}{_cut_off(turn, at, part, sheet)}"
    at_rest = max(0, start - len(part.text))
    end = at_rest + CHUNK
    text = turn_html.as_it_is(part.rest[at_rest:end])
    left = len(part.rest) - end
    more = _more(turn, at, len(part.text) + end, f"Show more, {left:,} characters are left", sheet) if left > 0 else ""
    return f"<pre>{text}</pre>{more}"


def _more(turn: Turn, at: int, start: int, words: str, sheet: Sheet) -> str:
    return lazy_links.more(sheet.url, f"turn={turn.number}&amp;part={at}&amp;from={start}", words)


def _rest(told: Transcript, sheet: Sheet) -> str:
    """All folded turns of the first page that were left to be loaded, each for its own place."""
    left, made = REST_AT_ONCE, []
    for turn in (sheet.order[place] for _, places in _groups(told) for place in places if isinstance(place, int)):
        if not turn.is_collapsed or sheet.spends(turn.char_count):
            continue
        left -= min(turn.char_count, OPEN_AT_ONCE)
        if left < 0:
            break
        made.append(
            f'<div class="parts" dir="auto" id="parts-{turn.number}" hx-swap-oob="true">{_parts(turn, sheet)}</div>'
        )
    return "".join(made)
