"""Every expression can be worked out: its names are there, its fields exist, its parts go together."""

from collections.abc import Iterable
from dataclasses import replace

from procession.errors import ReferenceProblem
from procession.expressions import Finding
from procession.model import StepDraft
from procession.rules.missing import Slip, told_once
from procession.rules.typed import Typed, TypedLeaf, World

_ELSEWHERE = {
    "error": "It is there in 'on_error' and 'errors'.",
    "record": "It is there in triggers, and in the 'match' of what waits for a record or a message 'about' one.",
    "event": "It is there in triggers; steps see 'trigger.event'.",
    "process": "It is there in steps.",
    "outputs": "It is there in steps.",
    "vars": "It is there in steps.",
}
"""Names that are somewhere, only not everywhere."""


def expressions_make_sense(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    slips = []
    for found in typed.leaves:
        for (_, offset), checked in zip(found.leaf.spans, found.checks, strict=True):
            for finding in checked.findings:
                told = _in_context(typed, found, finding)
                slips.append(Slip(found, told, offset + finding.offset))
    yield from told_once(typed, slips)


def _in_context(typed: Typed, found: TypedLeaf, finding: Finding) -> Finding:
    """For a name or a step that is there but cannot be read here, why not."""
    if finding.kind == "missing" and not finding.group and finding.name in _ELSEWHERE:
        return replace(finding, hint=_ELSEWHERE[finding.name])
    if finding.kind != "missing" or finding.group != "outputs":
        return finding
    steps = list(typed.draft.every_step())
    order = {step.path: number for number, step in enumerate(steps)}
    step = next((step for step in steps if step.id == finding.name), None)
    if step is None:
        return finding
    if not step.named:
        return Finding(
            f"the step {step.id!r} has no id of its own", finding.offset, f"Give it one: `id: {step.id}`."
        )
    if isinstance(found.owner, StepDraft) and order[step.path] >= order[found.owner.path]:
        return Finding(
            f"the step {step.id!r} has not run yet here", finding.offset, "Only earlier steps can be read."
        )
    hint = "What a step gives is read after it, outside of other branches and within its loop."
    return Finding(f"what the step {step.id!r} gives cannot be read here", finding.offset, hint)
