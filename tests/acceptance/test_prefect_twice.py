"""Whoever starts a process, Prefect's schedules and automations or the engine, it starts once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect_world import (
    NOTIFY,
    Prefect,
    PrefectSettings,
    Project,
    Server,
    Settings,
    World,
    eventually,
    plan,
    world,
)

from flows import deploy, engine
from procession.records import Ref

pytestmark = pytest.mark.acceptance

OFTEN = """\
process: often
triggers:
  - id: by_clock
    schedule: {every: 1m}
mode: parallel
steps:
  - set: {done: true}
"""


@pytest.fixture(scope="module")
def running(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    clock = plan(OFTEN)
    quicker = tuple(replace(trigger, every=timedelta(seconds=3)) for trigger in clock.triggers)
    made = [plan(NOTIFY), replace(clock, triggers=quicker)]
    with world(tmp_path_factory.mktemp("world")) as there:
        settings = Settings(PrefectSettings(server.url, patience_seconds=15))
        with engine.serve(Project(there, {one.process: one for one in made}, settings)):
            yield there


def test_a_schedule_that_is_switched_on_in_prefect_too_starts_nothing_twice(
    running: World, prefect: Prefect
) -> None:
    deployment = prefect.deployment("often")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    schedule = IntervalSchedule(interval=timedelta(seconds=3), anchor_date=epoch)
    (created,) = prefect.client.create_deployment_schedules(deployment, [(schedule, True)])

    runs = eventually(lambda: prefects_own(prefect, deployment), 90)

    prefect.client.delete_deployment_schedule(deployment, created.id)
    moments = [run.expected_start_time for run in runs]
    started = [i for i in running.instances() if i.process == "often"]
    at = [i.event_at for i in started if i.event_at]
    assert len(moments) >= 2
    assert len(at) == len(set(at)) == len(started)
    assert {run.state_name for run in runs} <= {"Nothing to do", "Completed"}


def test_an_automation_that_somebody_switched_on_starts_nothing_twice(
    server: Server, running: World, prefect: Prefect, tmp_path: Path
) -> None:
    """The engine of `running` made the deployment; another one asks at its start whether events are wanted."""
    deployment = prefect.deployment()
    spec = deploy.entry(plan(NOTIFY))["triggers"][0]
    trigger = DeploymentEventTrigger.model_validate({**spec, "enabled": True})
    trigger.set_deployment_id(deployment)
    automation = prefect.client.create_automation(trigger.as_automation())
    made = plan(NOTIFY)
    with world(tmp_path) as there:
        settings = Settings(PrefectSettings(server.url, patience_seconds=15))
        with engine.serve(Project(there, {made.process: made}, settings)):
            (meeting,) = there.save()
            try:
                run = eventually(lambda: by_automation(prefect, deployment, meeting), 60)
            finally:
                prefect.client.delete_automation(automation)
            started = there.instances()

    assert isinstance(run.parameters["event"], int)
    assert run.state_name in ("Nothing to do", "Completed")
    assert [i.state for i in started] == ["completed"]
    assert len(there.inbox.ids) == 1


def prefects_own(prefect: Prefect, deployment: UUID) -> list:
    """The runs that Prefect's schedule made, once two of them have ended."""
    runs = prefect.client.read_flow_runs(
        flow_run_filter=FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]))
    )
    ended = [run for run in runs if run.auto_scheduled and run.state and run.state.is_final()]
    return ended if len(ended) >= 2 else []


def by_automation(prefect: Prefect, deployment: UUID, meeting: Ref) -> FlowRun | None:
    """The run that an automation made for this meeting, once it has ended."""
    runs = prefect.client.read_flow_runs(
        flow_run_filter=FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]))
    )
    ours = (run for run in runs if run.parameters.get("event") and run.parameters["meeting"] == meeting.id)
    return next((run for run in ours if run.state and run.state.is_final()), None)
