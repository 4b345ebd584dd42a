"""Instances that version 0.1 began: their journal rows say where they are, and from then on a position does.

Version 0.1 kept no position; it walked the plan anew and let the rows answer. The same is done here once, when such an
instance is first opened: a row that is over moves the position as its step did. To be dropped a release later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from procession import run as r
from procession.plan import Plan
from procession.ports import Checkpoint, Instance, StepRun, Unit
from procession.position import Position, Turn
from procession.run import Run
from procession.steps.kind import Outcome, Stop
from procession.values import from_json
from procession.written import written


def converted(plan: Plan, instances: Sequence[Instance], unit: Unit) -> dict[int, Checkpoint]:
    """`{instance: where it is}`; without those that are at their beginning."""
    rows = unit.journal.steps([instance.id for instance in instances])
    found = (_where(plan, instance, rows[instance.id]) for instance in instances)
    return {one.instance: one for one in found if one}


def _where(plan: Plan, instance: Instance, rows: Sequence[StepRun]) -> Checkpoint | None:
    run = r.opened(plan, instance, {}, None)
    by_step = {(row.path, row.round): row for row in rows}
    while turn := run.turn:
        row = by_step.get((turn.step.path, turn.round))
        if row is None or row.state not in ("done", "skipped", "failed"):
            run = replace(run, position=_tried(run.position, turn, row))
            break
        run = _moved(run, turn, row)
    checkpoints = written([replace(run, evidence=())]).checkpoints
    return checkpoints[0] if checkpoints else None


def _moved(run: Run, turn: Turn, row: StepRun) -> Run:
    if row.state == "failed":
        return r.failed(run, turn, row.error or {}, row.at)
    if row.state == "skipped":
        return r.skipped(run, turn, row.at)
    kept: Mapping[str, Any] = from_json(row.output)
    stop = kept.get("stop")
    outcome = Outcome(
        branches=tuple(row.branch.split()), items=kept.get("items"), set_vars=kept.get("vars", {}),
        stop=Stop(stop["result"], stop["error"]) if stop else None,
    )  # fmt: skip
    return r.done(run, turn, outcome, kept.get("out", {}), row.at)


def _tried(position: Position, turn: Turn, row: StepRun | None) -> Position:
    """A step that is to be tried again, with the tries it has had; one that was `sending` is the same try again."""
    attempts = row.attempts if row and str(row.state) == "retrying" else 0
    token = replace(position.tokens[turn.scope], attempts=attempts)
    return replace(position, tokens={**position.tokens, turn.scope: token})
