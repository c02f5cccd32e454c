"""Buttons beside turns and steps that mark them as the first error, in queues that ask for it.

They are added when a trace is shown: the prepared transcript is the same for every queue and page.
"""

import html
import re
from dataclasses import dataclass

from reviewapp.lib.invisible_chars import reveal

_TURN = re.compile(r'<article class="turn [^"]{1,60}" id="(turn-[0-9]{1,9})" data-step="([^"]*)">')


@dataclass(frozen=True, slots=True)
class MarkButtons:
    """The buttons of a trace. `url` receives the form with the place in `mark`; without one there are no buttons.

    `marked_at` is the marked place: `turn-3`, or `step-` and a span's id.
    """

    url: str = ""
    marked_at: str = ""

    def add_to_turns(self, rendered: str) -> str:
        """Return the HTML of a transcript or of a part of it with a button in each turn."""
        if not self.url:
            return rendered
        return _TURN.sub(lambda match: match[0] + self._render(match[1], match[2]), rendered)

    def render_step(self, span_id: object, name: str) -> str:
        """Render the button of a step, empty without buttons."""
        return self._render(f"step-{span_id}", escape_name(name), is_anchor=True) if self.url else ""

    def _render(self, place: str, escaped_name: str, *, is_anchor: bool = False) -> str:
        anchor = f' id="{place}"' if is_anchor else ""
        is_marked = place == self.marked_at
        label, state = ("First error", ' aria-current="true"') if is_marked else ("Mark as first error", "")
        return (
            f'<button class="mark-error"{anchor} form="review" formaction="{html.escape(self.url)}" name="mark"'
            f' value="{place} {escaped_name}" title="Key m"{state}>{label}</button>'
        )


def escape_name(name: str) -> str:
    """Return a step's name on one line with its hidden characters revealed, escaped for an attribute.

    A step without a name is `unnamed`.
    """
    return html.escape(reveal(" ".join(name.split())) or "unnamed")
