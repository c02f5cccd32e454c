"""Mark the first error of a trace in the reviewer's form, by a button beside each turn and step."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.urls import reverse

from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.rubric import first_error
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.traces.reader.mark_buttons import MarkButtons

# The field that a button beside a turn or step sends: the place that it marks, empty to remove the mark.
FIELD = "mark"


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked place as the form shows it; all empty without one."""

    place: str = ""
    step: str = ""
    quote: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the form's text; one that is not valid marks nothing."""
        try:
            members = first_error.parse_field(text.replace("\r\n", "\n"))
        except ValidationError:
            return cls()
        return cls(members["at"], members["step"], members["quote"])

    @property
    def label(self) -> str:
        """The step's name, and the number of a turn."""
        return first_error.describe({"at": self.place, "step": self.step, "quote": ""}) if self.place else ""

    @property
    def address(self) -> str:
        """The query and fragment that show the place in the trace."""
        if not self.place:
            return ""
        kind, _, name = self.place.partition("-")
        query = {"turn": name} if kind == "turn" else {"tab": "steps", "span": name}
        return f"?{urlencode(query)}#{self.place}"


def find_criterion(rubric: Queue) -> Criterion | None:
    """The criterion of the rubric that asks for the first error."""
    return next((criterion for criterion in rubric.parsed_criteria if criterion.kind == "first_error"), None)


def make_buttons(item: QueueItem, tab: str, marked_at: str = "") -> MarkButtons:
    """The buttons of an item's trace; none if its queue does not ask for the first error."""
    if find_criterion(item.queue) is None:
        return MarkButtons()
    url = reverse("reviews:item-view", args=[item.queue.project.slug, item.pk])
    return MarkButtons(f"{url}?{urlencode({'tab': tab})}", marked_at)


def apply_mark(item: QueueItem, form_data: QueryDict) -> QueryDict:
    """The form's data with the place of the pressed button as its answer; unchanged if no such button was pressed."""
    criterion = find_criterion(item.queue)
    if criterion is None or FIELD not in form_data:
        return form_data
    marked = form_data.copy()
    marked[criterion.field_name] = marked.pop(FIELD)[-1]
    return marked
