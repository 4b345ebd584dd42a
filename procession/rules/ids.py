"""Ids: one of a kind in the process, and there where the journal holds on to them."""

from collections.abc import Iterable

from procession.errors import ReferenceProblem
from procession.rules.typed import Typed, World, problem


def ids_are_unique(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    draft = typed.draft
    steps = [step for step in draft.every_step() if step.named]
    for owners in (steps, draft.triggers):
        first: dict[str, int] = {}
        for owner in owners:
            line = draft.place((*owner.where, "id")).line
            if owner.id in first:
                hint = f"Choose another; the first is in line {first[owner.id]}."
                yield problem(draft, f"the id {owner.id!r} is taken", (*owner.where, "id"), hint, offset=0)
            first.setdefault(owner.id, line)


def steps_have_ids_where_needed(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    draft = typed.draft
    for step in draft.every_step():
        if step.kind and step.kind.needs_id and not step.named:
            word = step.kind.word
            hint = f"Write `- id: {word.replace('send_', '')}` above {word!r}: running processes know the step by it."
            yield problem(draft, f"a step with {word!r} needs an id", (*step.where, word), hint, key=True)
