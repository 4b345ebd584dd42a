"""The way through the steps: no step that can never be reached, and no mode without the key it goes by."""

import itertools
from collections.abc import Iterable, Iterator

from procession.errors import ReferenceProblem
from procession.model import StepDraft
from procession.rules.typed import Typed, World, problem


def every_step_can_be_reached(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    for steps in _lists(typed):
        for step, following in itertools.pairwise(steps):
            if _ends(step):
                hint = "Remove it, or put an 'if' at the step that stops."
                at = typed.draft.place(step.where)
                yield problem(
                    typed.draft,
                    f"this step is never reached: line {at.line} stops the process",
                    following.where,
                    hint,
                )
                break


def _lists(typed: Typed) -> Iterator[tuple[StepDraft, ...]]:
    draft = typed.draft
    yield from (draft.steps, draft.errors)
    for step in draft.every_step():
        yield from step.slots.values()
        yield step.on_error
        yield step.on_timeout


def _ends(step: StepDraft) -> bool:
    """Whether nothing can follow a step."""
    if step.kind is None or step.guard is not None:
        return False
    if step.kind.word == "stop":
        return True
    if step.kind.word not in ("if", "choose") or step.shape is None:
        return False
    others_end = (
        step.kind.word == "choose"
        and step.fields.get("else") is not None
        and step.fields["else"].value == "stop"
    )
    branches = [steps for slot, steps in step.slots.items() if slot != "else"]
    last = step.slots.get("else")
    return all(map(_list_ends, branches)) and (others_end or (last is not None and _list_ends(last)))


def _list_ends(steps: tuple[StepDraft, ...]) -> bool:
    return any(_ends(step) for step in steps)


def mode_has_a_key(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    draft = typed.draft
    if draft.mode in ("single", "restart", "queued") and "key" not in draft.document.value:
        record = next((i.name for i in draft.inputs if i.type == "record"), "")
        hint = f'Add `key: "{{{{ {record}.id }}}}"`.' if record else "Add `key: …`."
        message = f"'mode: {draft.mode}' needs a 'key' that says which instances are about the same thing"
        yield problem(draft, message, ("mode",), hint, offset=0)
