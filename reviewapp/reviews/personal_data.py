"""Personal data and secrets in what a reviewer wrote: found before it leaves for Laminar, and masked on wish."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reviewapp.accounts.models import PersonalData
from reviewapp.lib.personal_data import describe_findings, find_personal_data, mask_personal_data
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import criteria
from reviewapp.queues.rubric.criteria import Criterion


@dataclass(frozen=True, slots=True)
class Weighed:
    """Notes and answers as they are to be saved; what was found in them, a sentence for each; what follows from it.

    `kept` are the keys of the answers that stay here, `keeps_notes` says so of the notes.
    """

    notes: str
    own: Mapping[str, Any]
    findings: list[str] = field(default_factory=list)
    has_to_ask: bool = False
    kept: frozenset[str] = frozenset()
    keeps_notes: bool = False


def weigh(rubric: Queue, notes: str, own: Mapping[str, Any], decision: str) -> Weighed:
    """Look at all that a reviewer wrote, as the project wants it; `own` are the answers to criteria by key.

    `decision` is the reviewer's: send, mask, keep, or empty. Where nothing can be undone any more, to tell means to
    ask.
    """
    wish = rubric.project.personal_data
    if wish == PersonalData.OFF:
        return Weighed(notes, own)
    in_notes = [] if rubric.keeps_notes_here else describe_findings(find_personal_data(notes), notes)
    in_own = {one: said for one in rubric.parsed_criteria if (said := _told_of(one, own.get(one.key)))}
    if not in_notes and not in_own:
        return Weighed(notes, own)
    if decision == "mask":
        hidden = {one.key: _masked(one, own[one.key]) for one in in_own}
        return Weighed(mask_personal_data(notes) if in_notes else notes, {**own, **hidden})
    sentences = [f"The notes hold {' and '.join(in_notes)}."] if in_notes else []
    sentences += [f"“{one.label}” holds {' and '.join(said)}." for one, said in in_own.items()]
    has_to_ask = not decision and (wish == PersonalData.REQUIRE or rubric.grace_seconds == 0)
    if decision != "keep":
        return Weighed(notes, own, sentences, has_to_ask)
    return Weighed(notes, own, sentences, kept=frozenset(one.key for one in in_own), keeps_notes=bool(in_notes))


def _told_of(criterion: Criterion, value: Any) -> list[str]:
    """What an answer to a criterion holds, in words; what the trace's own answer held is none of the reviewer's."""
    known = value["from"] if criterion.kind == "correction" and criteria.is_answered(value) else ""
    return [
        words
        for text in criteria.free_texts(criterion, value)
        for words in describe_findings(find_personal_data(text, known), text)
    ]


def _masked(criterion: Criterion, value: Any) -> Any:
    if criterion.kind == "correction":
        return criteria.build_correction(value["from"], mask_personal_data(value["text"], value["from"]))
    if criterion.kind == "tags":
        return list(dict.fromkeys(mask_personal_data(name)[: criteria.MAX_TAG_LENGTH] for name in value))
    return mask_personal_data(value)
