"""The transcript as a page opens it, made when the spans come: who opens an item waits for no parsing."""

from hashlib import blake2b
from pathlib import Path

from reviewapp.lib import sql
from reviewapp.traces.models import Prepared, Trace

# The code that prepares: what another one prepared is not shown, and made anew.
VERSION = blake2b(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()[:32]
_OF = "SELECT * FROM reviewapp_prepared WHERE trace_id = %s AND version = %s"
_KEEP = """
    INSERT INTO reviewapp_prepared (trace_id, version, place, html, jumps, answer, is_partial, is_empty)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (trace_id) DO UPDATE SET version = excluded.version, place = excluded.place, html = excluded.html,
        jumps = excluded.jumps, answer = excluded.answer, is_partial = excluded.is_partial, is_empty = excluded.is_empty
"""


def of(trace: Trace) -> Prepared | None:
    """What was prepared for a trace by this very code."""
    return sql.first(Prepared, _OF, trace.pk, VERSION)


def keep(made: Prepared) -> None:
    """Put it in the place of what was prepared before, if anything was."""
    sql.change(
        _KEEP, made.trace_id, made.version, made.place, made.html, made.jumps, made.answer, made.is_partial,
        made.is_empty,
    )  # fmt: skip


def outdated(limit: int) -> list[Trace]:
    """Traces whose page was prepared by other code, the newest first."""
    rows = Prepared.objects.exclude(version=VERSION).select_related("trace__project").order_by("-pk")
    return [row.trace for row in rows[:limit]]
