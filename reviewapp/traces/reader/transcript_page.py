"""A transcript's page while it is rendered: what its turns have in common."""

from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from reviewapp.traces.reader.sanitising import FormatBudget
from reviewapp.traces.reader.trace_reader import TraceReader
from reviewapp.traces.transcript.turns import Turn

# Characters that all folded turns of a page may include.
FOLDED_CHARS_LIMIT = 6_000


@dataclass(slots=True)
class TranscriptPage:
    """A page being rendered: its URL, the number of the selected turn, how many more folded characters fit.

    `unloaded_count` counts the folded turns whose content is not on the page; `budget` is what formatting its texts may
    still cost.
    """

    url: str
    trace_key: tuple[str, UUID]
    order: tuple[Turn, ...]
    selected: int | None
    longest: Turn | None
    is_as_written: bool = False
    remaining_chars: int = FOLDED_CHARS_LIMIT
    unloaded_count: int = 0
    budget: FormatBudget = field(default_factory=FormatBudget)

    @classmethod
    def of(cls, reader: TraceReader, selected: int | None) -> Self:
        transcript, trace = reader.transcript, reader.trace
        trace_key = (trace.project.slug, trace.trace_id)
        is_as_written = reader.query.is_as_written
        return cls(reader.url, trace_key, transcript.order, selected, transcript.longest, is_as_written)

    def reserve_chars(self, size: int) -> bool:
        """Reserve this many characters if they fit. Returns whether they do."""
        fits = size <= self.remaining_chars
        self.remaining_chars -= size if fits else 0
        return fits
