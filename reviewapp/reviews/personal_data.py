"""Find personal data and secrets in a review before it is pushed, and mask them if the reviewer asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reviewapp.accounts.models import PersonalData
from reviewapp.lib.personal_data import describe_findings, find_personal_data, mask_personal_data
from reviewapp.lib.shortening import shorten
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import answer_values
from reviewapp.queues.rubric.criteria import Criterion


@dataclass(frozen=True, slots=True)
class CheckedAnswers:
    """Notes and criterion answers as they are to be saved, with a sentence for each finding.

    `unpushed_keys` are the criteria whose answers are saved but not pushed, `keeps_notes_here` says so of the notes.
    """

    notes: str
    criterion_answers: Mapping[str, Any]
    findings: list[str] = field(default_factory=list)
    needs_decision: bool = False
    unpushed_keys: frozenset[str] = frozenset()
    keeps_notes_here: bool = False


def check_answers(rubric: Queue, notes: str, answers: Mapping[str, Any], decision: str) -> CheckedAnswers:
    """Check everything the reviewer wrote, by the project's setting; `answers` are those to criteria by key.

    `decision` is the reviewer's: send, mask, keep, or empty. Without a grace period nothing can be undone, so a
    warning is not enough and a decision is required.
    """
    setting = rubric.project.personal_data
    if setting == PersonalData.OFF:
        return CheckedAnswers(notes, answers)
    in_notes = [] if rubric.keeps_notes_here else describe_findings(find_personal_data(notes), notes)
    in_answers = {
        criterion: descriptions
        for criterion in rubric.parsed_criteria
        if (descriptions := _describe_answer(criterion, answers.get(criterion.key)))
    }
    if not in_notes and not in_answers:
        return CheckedAnswers(notes, answers)
    if decision == "mask":
        masked = {criterion.key: _mask_answer(criterion, answers[criterion.key]) for criterion in in_answers}
        return CheckedAnswers(mask_personal_data(notes) if in_notes else notes, {**answers, **masked})
    sentences = [f"The notes contain {' and '.join(in_notes)}."] if in_notes else []
    sentences += [
        f"“{criterion.label}” contains {' and '.join(descriptions)}." for criterion, descriptions in in_answers.items()
    ]
    if decision == "keep":
        keys = frozenset(criterion.key for criterion in in_answers)
        return CheckedAnswers(notes, answers, sentences, unpushed_keys=keys, keeps_notes_here=bool(in_notes))
    is_required = setting == PersonalData.REQUIRE or rubric.grace_seconds == 0
    return CheckedAnswers(notes, answers, sentences, needs_decision=is_required and not decision)


def _describe_answer(criterion: Criterion, value: Any) -> list[str]:
    """The findings in a criterion's answer, in words; what the trace's own answer contains does not count."""
    known = value["from"] if criterion.kind == "correction" and answer_values.is_answered(value) else ""
    return [
        description
        for text in answer_values.free_texts(criterion, value)
        for description in describe_findings(find_personal_data(text, known), text)
    ]


def _mask_answer(criterion: Criterion, value: Any) -> Any:
    if criterion.kind == "correction":
        return answer_values.build_correction(value["from"], mask_personal_data(value["text"], value["from"]))
    if criterion.kind == "first_error":
        return {**value, "step": mask_personal_data(value["step"]), "quote": mask_personal_data(value["quote"])}
    if criterion.kind == "tags":
        return list(dict.fromkeys(shorten(mask_personal_data(name), answer_values.MAX_TAG_LENGTH) for name in value))
    return mask_personal_data(value)
