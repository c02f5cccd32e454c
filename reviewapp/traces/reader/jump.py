"""Jumps within a trace: to the next error, tool call or match after the current one, on whichever page it is.

A target is a turn by its number or a step by its primary key; `order` lists all turns or steps in reading order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from reviewapp.traces.reader.steps import Outline
from reviewapp.traces.transcript.transcript import Transcript

LABELS = {"answer": "Answer", "error": "Error", "tool": "Tool call", "longest": "Longest step", "match": "Match"}


class Jump(NamedTuple):
    """A link to the next target of a kind: its label, how many the whole trace has, and the URL of the next one."""

    kind: str
    label: str
    total: int
    url: str


@dataclass
class JumpTargets:
    """The targets on a tab by kind, each in reading order."""

    order: Sequence[int] = ()
    by_kind: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @cached_property
    def positions(self) -> dict[int, int]:
        """Each turn's or step's position in reading order."""
        return {target: position for position, target in enumerate(self.order)}

    def find_next(self, kind: str, after: int | None) -> int | None:
        """Return the next target of a kind, wrapping around to the first; None if there is none."""
        targets = self.by_kind.get(kind, ())
        position = -1 if after is None else self.positions.get(after, -1)
        return next(
            (target for target in targets if self.positions[target] > position), targets[0] if targets else None
        )

    def describe(self, kind: str, target: int) -> str:
        """Return the label of a target with its number, such as "Error 2 of 3"."""
        targets = self.by_kind[kind]
        return f"{LABELS[kind]} {targets.index(target) + 1:,} of {len(targets):,}"


def find_transcript_targets(transcript: Transcript, matches: Sequence[int]) -> JumpTargets:
    """Return the jump targets of a transcript; `matches` are the turns that match the search."""
    by_kind = {
        "answer": [transcript.answer.number] if transcript.answer else [],
        "error": [turn.number for turn in transcript.order if turn.error],
        "tool": [turn.number for turn in transcript.order if turn.role == "tool"],
        "longest": [transcript.longest.number] if transcript.longest else [],
        "match": matches,
    }
    return JumpTargets([turn.number for turn in transcript.order], by_kind)


def find_step_targets(outline: Outline, matches: Sequence[int], *, is_raw: bool) -> JumpTargets:
    """Return the jump targets of the Steps or Raw tab; `matches` are the steps that match the search, in any order."""
    order, matching_pks = [pk for pk, _ in outline.steps], set(matches)
    by_kind = {} if is_raw else outline.targets_by_kind
    return JumpTargets(order, {**by_kind, "match": [pk for pk in order if pk in matching_pks] if matching_pks else []})
