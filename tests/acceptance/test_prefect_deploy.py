"""What `procession deploy` writes is what Prefect takes, and a worker can carry it out without an engine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect_world import ACTOR, NOTIFY, Prefect, Server, eventually

from flows import deploy
from flows.runs import Runs
from flows.starting import Host
from flows.wiring import Application, application
from procession.definitions import Definitions
from procession.publications import Asked
from procession.testing.inbox import Inbox

pytestmark = pytest.mark.acceptance

SETTINGS = """\
mail_domain = "us.example"
default_sender = "CRM <crm@us.example>"
[smtp]
host = "127.0.0.1"
port = {port}
security = "none"
"""

DIGEST = """\
process: digest
triggers:
  - id: mondays
    schedule: "30 7 * * 1"
    timezone: Europe/Berlin
steps:
  - set: {done: true}
"""


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as opened:
        yield opened


@pytest.fixture
def project(tmp_path: Path, inbox: Inbox) -> Iterator[Application]:
    """A project with two processes, and a meeting (activity 1) in its store."""
    (tmp_path / "processes").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "processes" / "notify_contact_of_meeting.yaml").write_text(NOTIFY)
    (tmp_path / "processes" / "digest.yaml").write_text(DIGEST)
    (tmp_path / "procession.toml").write_text(SETTINGS.format(port=inbox.port))
    (tmp_path / ".procession").mkdir()
    opened = application(tmp_path)
    opened.upgrade()
    with opened.store.unit() as unit:
        (deal,) = unit.records.create("opportunity", [{"name": "Pumps"}], ACTOR)
        (ann,) = unit.records.create("contact", [{"name": "Ann Smith", "email": "ann@acme.example"}], ACTOR)
        row = {"type": "task", "category": "meeting", "subject": "Kick-off", "start": opened.clock.now(), "contact": ann,
               "opportunity": deal}  # fmt: skip
        unit.records.create("activity", [row], ACTOR)
        unit.commit()
    opened.forget_events()
    yield opened
    opened.close()


def run_prefect(project: Application, server: Server, *arguments: str) -> str:
    environment = {
        **os.environ,
        "PREFECT_API_URL": server.url,
        "PREFECT_HOME": str(project.data),
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
    done = subprocess.run(
        command,
        cwd=project.project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def deployed(project: Application, server: Server, prefect: Prefect) -> Application:
    """The project, with its deployments made by `prefect deploy --all`."""
    if deploy.POOL not in {pool.name for pool in prefect.client.read_work_pools()}:
        prefect.client.create_work_pool(WorkPoolCreate(name=deploy.POOL, type="process"))
    deploy.deploy(project, Asked())
    run_prefect(project, server, "deploy", "--all")
    return project


def test_prefect_takes_every_deployment_with_its_form_schedule_and_trigger(
    deployed: Application, prefect: Prefect
) -> None:
    notify = prefect.client.read_deployment(prefect.deployment())
    digest = prefect.client.read_deployment(prefect.deployment("digest"))

    assert notify.entrypoint == "flows.catalog.notify_contact_of_meeting"
    assert notify.parameter_openapi_schema
    assert (
        notify.parameter_openapi_schema["properties"]["meeting"]["title"]
        == "Meeting (number of the activity)"
    )
    (schedule,) = digest.schedules
    assert schedule.schedule.cron == "30 7 * * 1"
    assert (schedule.schedule.timezone, schedule.active) == ("Europe/Berlin", False)
    (automation,) = prefect.client.read_automations_by_name("Notify contact of meeting: saved")
    assert not automation.enabled
    assert automation.trigger.expect == {"crm.activity.added"}


def test_a_worker_carries_out_a_run_without_any_engine(
    deployed: Application, server: Server, prefect: Prefect, inbox: Inbox
) -> None:
    pressed = prefect.press_run(meeting=1)

    run_prefect(deployed, server, "worker", "start", "--pool", deploy.POOL, "--run-once", "--name", "test")

    run = eventually(lambda: done(prefect, pressed.id), 60)
    assert (run.state_name, run.name) == ("Completed", "Notify contact of meeting: Kick-off (meeting 1)")
    (mail,) = inbox.wait_for(1)
    assert mail.subject == "Invitation: Kick-off"
    tasks = prefect.ended_tasks_of(run, 2)
    assert tasks == [("Send the invitation", "Completed"), ("Note it", "Completed")]


def test_an_engine_keeps_the_deployments_of_its_project_in_step(
    project: Application, prefect: Prefect, tmp_path: Path
) -> None:
    for left in prefect.client.read_deployments():  # by other tests, of projects in other folders
        prefect.client.delete_deployment(left.id)
    plans = project.plans()
    both = Definitions(plans)
    notify, digest = (Definitions({process: plans[process]}) for process in sorted(plans, reverse=True))
    runs = Runs(Host(project.ports(), both), tmp_path)
    deploy.register(prefect.client, both, runs, project.project)
    (schedule,) = prefect.client.read_deployment(prefect.deployment("digest")).schedules
    prefect.client.update_deployment_schedule(prefect.deployment("digest"), schedule.id, active=True)

    deploy.register(prefect.client, both, runs, project.project)
    switched = prefect.client.read_deployment(prefect.deployment("digest")).schedules[0].active
    deploy.register(prefect.client, notify, runs, tmp_path / "other")
    still_there = prefect.deployment("digest")
    deploy.register(prefect.client, digest, runs, project.project)

    assert (schedule.slug, schedule.active) == ("mondays", False)
    assert switched
    assert still_there
    with pytest.raises(ObjectNotFound):
        prefect.deployment()


def test_an_entrypoint_of_a_process_that_is_not_there_says_so(project: Application, server: Server) -> None:
    code = "import flows.catalog; flows.catalog.notify_contact_of_meetings"
    environment = {**os.environ, "PROCESSION_PROJECT": str(project.project)}

    failed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )

    assert failed.stderr.splitlines()[-1] == (
        "AttributeError: no process 'notify_contact_of_meetings' is current. Did you mean 'notify_contact_of_meeting'?"
    )


def done(prefect: Prefect, run_id) -> object:
    run = prefect.client.read_flow_run(run_id)
    return run if run.state and run.state.is_final() else None
