"""Rows of the journal as the engine's own data, and back."""

from typing import Any

from sqlalchemy import Row

from procession.ports import Instance, StepRun


def instance_of(row: Row[Any]) -> Instance:
    return Instance(
        id=row.id,
        process=row.process,
        digest=row.digest,
        title=row.title,
        key=row.key,
        state=row.state,
        inputs=row.inputs,
        trigger=row.trigger,
        started_at=row.started_at,
        due=row.due,
        ended_at=row.ended_at,
        result=row.result,
        error=row.error,
        flow_run_id=row.flow_run_id,
        event_at=row.event_at,
        fencing_token=row.fencing_token,
        deaths=row.deaths,
        is_of_0_1=row.is_of_0_1,
    )


def step_of(row: Row[Any]) -> StepRun:
    return StepRun(
        instance=row.instance_id,
        path=row.path,
        round=row.round,
        kind=row.kind,
        state=row.state,
        at=row.at,
        attempts=row.attempts,
        branch=row.branch,
        output=row.output or {},
        error=row.error,
    )


def row_of_step(step: StepRun) -> dict[str, Any]:
    return {
        "instance_id": step.instance,
        "path": step.path,
        "round": step.round,
        "kind": step.kind,
        "state": step.state,
        "at": step.at,
        "attempts": step.attempts,
        "branch": step.branch,
        "output": step.output or None,
        "error": step.error,
    }
