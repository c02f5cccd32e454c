"""Groups of turns as HTML: folds before, between and after question and answer, and a block for each agent inside.

There is one level of folding: the turns in a fold are open.
"""

from collections.abc import Sequence
from itertools import groupby

from reviewapp.traces.reader import lazy_links, turn_article, turn_gaps
from reviewapp.traces.reader.passages_html import count_passages
from reviewapp.traces.reader.sanitising import sanitise_text
from reviewapp.traces.reader.transcript_page import TranscriptPage
from reviewapp.traces.reader.turn_gaps import END_SIZE, Gap
from reviewapp.traces.transcript.agents import Agent
from reviewapp.traces.transcript.transcript import Transcript
from reviewapp.traces.transcript.turns import Turn

# How many turns, and characters in them, stay open between question and answer.
BETWEEN_TURNS_LIMIT, BETWEEN_CHARS_LIMIT = 2, 3_000
# How many retrievals of a group have a line of their own.
RETRIEVALS_LIMIT = 3

# The positions of a group's turns in page order, and the gaps between them.
Positions = Sequence[int | Gap]


def split_groups(transcript: Transcript) -> list[tuple[str, Positions]]:
    """Return each group's name and positions. Of earlier turns the last ones are shown, of later ones the first."""
    groups: list[tuple[str, Positions]] = []
    start = 0
    turns_by_group = (
        ("system", transcript.system),
        ("earlier", transcript.earlier),
        ("main", transcript.main),
        ("after", transcript.later),
    )
    for name, turns in turns_by_group:
        head, tail = (0, END_SIZE) if name == "earlier" else (END_SIZE, END_SIZE if name == "main" else 0)
        groups.append((name, turn_gaps.shorten_range(start, start + len(turns), head=head, tail=tail)))
        start += len(turns)
    return groups


def render_group(transcript: Transcript, page: TranscriptPage, name: str, positions: Positions) -> str:
    """Render a group that `split_groups` returned."""
    if not positions:
        return ""
    if name == "main" and _is_main_long(transcript):
        question, *between, answer = positions
        content = _render_between(page, between)
        return f"{_render_position(page, question)}{content}{_render_position(page, answer)}"
    if name == "earlier" and not all(turn.role == "tool" for turn in transcript.earlier):
        return _render_fold(page, positions, _format_count(len(transcript.earlier), "earlier message"))
    if name == "after" and all(turn.message.is_alternative for turn in transcript.later):
        return _render_fold(page, positions, _format_count(len(transcript.later), "alternative answer"))
    if name == "after":
        place = "answer" if transcript.answer is not None else "last error"
        return _render_fold(page, positions, f"{_format_count(len(transcript.later), 'message')} after the {place}")
    return _render_segments(page, positions)


def render_range(page: TranscriptPage, positions: Positions) -> str:
    """Render turns one by one, as they are shown outside of a fold."""
    return "".join(_render_position(page, position) for position in positions)


def render_gap(page: TranscriptPage, gap: Gap) -> str:
    """Render the first turns of a gap, which is inside a fold, and what loads those that are too long at once."""
    positions = turn_gaps.open_gap(gap)
    return f"{_render_in_fold(page, positions)}{_render_loader(page, positions, 'load')}"


def _render_between(page: TranscriptPage, between: Positions) -> str:
    """Render what is between question and answer: one fold, or the agents' blocks and a fold for the steps around."""
    turns = _list_turns(page, between)
    if any(turn.agents for turn in turns) or _find_retrievals(page, between):
        return _render_segments(page, between)
    return _render_fold(page, between, _summarise_steps(turns, "between"))


def _render_segments(page: TranscriptPage, positions: Positions) -> str:
    """Render turns in order: an agent's in a block, a retrieval alone; of others, a few one by one, many in a fold."""
    rendered = []
    retrievals = _find_retrievals(page, positions)
    has_blocks = bool(retrievals) or any(turn.agents for turn in _list_turns(page, positions))

    def key(position: int | Gap) -> Agent | int | Gap | None:
        return _agent_at(page, position, 0) or (position if position in retrievals else None)

    for block, group in groupby(positions, key=key):
        segment = list(group)
        turns = _list_turns(page, segment)
        if isinstance(block, Agent):
            rendered.append(_render_fold(page, segment, _render_agent(block, turns), css_class="agent"))
        elif has_blocks and len(turns) > BETWEEN_TURNS_LIMIT and all(turn.is_collapsed for turn in turns):
            rendered.append(_render_fold(page, segment, _summarise_steps(turns)))
        else:
            rendered.append(render_range(page, segment))
    return "".join(rendered)


def _find_retrievals(page: TranscriptPage, positions: Positions) -> set[int | Gap]:
    """Return the positions of retrievals outside of agents, if they are few enough to have a line each."""
    retrievals: set[int | Gap] = set()
    for position in positions:
        turn = None if isinstance(position, Gap) else page.order[position]
        if turn is not None and turn.role == "tool" and not turn.agents and count_passages(turn):
            retrievals.add(position)
            if len(retrievals) > RETRIEVALS_LIMIT:
                return set()
    return retrievals


def _render_fold(page: TranscriptPage, positions: Positions, summary: str, css_class: str = "") -> str:
    """Render a fold of turns that are open in it; those too long for the page are loaded when it is opened."""
    is_open = any(turn.number == page.selected for turn in _list_turns(page, positions))
    css_class = f"fold group {css_class}".rstrip()
    before = page.unloaded_count
    content = _render_in_fold(page, positions, 1 if css_class.endswith("agent") else 0)
    loader = _render_loader(page, positions, "toggle from:closest details once") if page.unloaded_count > before else ""
    opening_tag = f'<details class="{css_class}"{" open" if is_open else ""}>'
    return f"{opening_tag}<summary>{summary}</summary>{loader}{content}</details>"


def _render_in_fold(page: TranscriptPage, positions: Positions, depth: int = 0) -> str:
    """Render turns inside a fold, those of agents at this depth in blocks of their own."""
    rendered: list[str] = []
    for agent, group in groupby(positions, key=lambda position: _agent_at(page, position, depth)):
        segment = list(group)
        if agent is None:
            rendered.extend(_render_position(page, position, is_in_fold=True) for position in segment)
        else:
            heading = f'<p class="agent-head">{_render_agent(agent, _list_turns(page, segment))}</p>'
            rendered.append(f'<section class="agent">{heading}{_render_in_fold(page, segment, depth + 1)}</section>')
    return "".join(rendered)


def _render_loader(page: TranscriptPage, positions: Positions, trigger: str) -> str:
    """Render what makes htmx load the turns of a range, each into its place."""
    first, last = positions[0], positions[-1]
    start = first.start if isinstance(first, Gap) else first
    stop = last.stop if isinstance(last, Gap) else last + 1
    query_string = f"rest=1&amp;from={start}&amp;to={stop}&amp;piece=1"
    return f'<div class="loader" hx-get="{page.url}?{query_string}" hx-trigger="{trigger}" hx-swap="none"></div>'


def _render_agent(agent: Agent, turns: Sequence[Turn]) -> str:
    """Render an agent's name, how many steps it took, what it was asked and what it returned."""
    texts = "".join(
        f'<span class="preview"><i>{label}</i> {sanitise_text(text)}</span>'
        for label, text in (("Asked", agent.brief), ("Result", agent.result))
        if text
    )
    count = f'<span class="count">{_summarise_steps(turns)}</span>'
    return f'<b>Agent</b> <span class="name">{sanitise_text(agent.name)}</span> {count}{texts}'


def _agent_at(page: TranscriptPage, position: int | Gap, depth: int) -> Agent | None:
    """Return the agent at a depth that a turn is in; None for a gap or a turn of no agent there."""
    agents = () if isinstance(position, Gap) else page.order[position].agents
    return agents[depth] if depth < len(agents) else None


def _list_turns(page: TranscriptPage, positions: Positions) -> list[Turn]:
    """Return all turns of a group, those in its gaps included."""
    turns: list[Turn] = []
    for position in positions:
        turns.extend(
            page.order[position.start : position.stop] if isinstance(position, Gap) else [page.order[position]]
        )
    return turns


def _is_main_long(transcript: Transcript) -> bool:
    """Whether there is too much between question and answer to show it open with both in view."""
    between = transcript.main[1:-1]
    if transcript.answer is None or transcript.question is None or transcript.main[0] is not transcript.question:
        return False
    char_count = sum(turn.char_count for turn in between)
    return len(between) > BETWEEN_TURNS_LIMIT or char_count > BETWEEN_CHARS_LIMIT


def _summarise_steps(turns: Sequence[Turn], suffix: str = "") -> str:
    """Return how many steps there are, by kind."""
    error_count = sum(1 for turn in turns if turn.error)
    model_spans = {id(turn.span) for turn in turns if turn.is_output and turn.role == "assistant"}
    counts = (
        ("model call", len(model_spans)),
        ("tool call", sum(1 for turn in turns if turn.role == "tool")),
    )
    labels = [_format_count(count, noun) for noun, count in counts if count]
    error = f' <b class="broken">{_format_count(error_count, "error")}</b>' if error_count else ""
    head = f"{_format_count(len(turns), 'step')} {suffix}".rstrip()
    return f"{head}{': ' if labels else ''}{', '.join(labels)}{error}"


def _format_count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _render_position(page: TranscriptPage, position: int | Gap, *, is_in_fold: bool = False) -> str:
    if isinstance(position, Gap):
        label, extra_params = f"Show more of {position.stop - position.start:,} turns", f"&amp;to={position.stop}"
        return lazy_links.render_more_link(
            page.url, f"from={position.start}", label, extra_params=extra_params, css_class="gap"
        )
    return turn_article.render_turn(page.order[position], page, is_in_fold=is_in_fold)
