"""Every instance is a flow run that people recognise, with a task run for each step."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterName
from prefect.states import AwaitingRetry, Cancelling
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

from flows import engine
from flows.starting import instance_ids
from procession.errors import TransportDeferred, TransportRefused
from procession.records import Ref

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def running(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An engine at work on a world, shown in the Prefect server."""
    made = plan(
        NOTIFY.replace(
            "      text: See you!", "      text: See you!\n    retry: {max_attempts: 2, interval: 1s}"
        )
    )
    with world(tmp_path_factory.mktemp("world")) as there:
        settings = Settings(PrefectSettings(server.url, patience_seconds=15))
        with engine.serve(Project(there, {made.process: made}, settings)):
            yield there


@pytest.fixture(autouse=True)
def peace(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "running" in request.fixturenames:
        request.getfixturevalue("running").inbox.before = lambda _subject: None


def test_a_saved_meeting_is_a_run_with_a_task_for_each_step(running: World, prefect: Prefect) -> None:
    (meeting,) = running.save(subject="Kick-off")

    (instance,) = eventually(lambda: running.shown([meeting]))

    run = eventually(lambda: ended(prefect, instance))
    assert run.name == f"Notify contact of meeting: Kick-off (meeting {meeting.id})"
    assert (run.state_name, run.state and run.state.message) == ("Completed", "Done.")
    assert run.parameters == {"meeting": meeting.id}
    assert run.deployment_id == prefect.deployment()
    assert set(run.tags) == {"procession", "notify_contact_of_meeting", "sales-ops", "mail"}
    tasks = prefect.ended_tasks_of(run, 2)
    assert tasks == [("Send the invitation", "Completed"), ("Note it", "Completed")]


def test_a_run_that_was_told_afterwards_has_task_runs_with_the_times_at_which_the_work_was_done(
    running: World, prefect: Prefect
) -> None:
    sent_at: list[datetime] = []
    running.inbox.before = lambda _subject: sent_at.append(datetime.now(UTC))
    (meeting,) = running.save()

    (instance,) = eventually(lambda: running.shown([meeting]))

    run = eventually(lambda: ended(prefect, instance))
    prefect.ended_tasks_of(run, 2)
    invite, note = prefect.task_runs_of(run)
    assert instance.started_at <= invite.start_time <= sent_at[0] <= invite.end_time <= note.start_time
    assert (
        note.start_time <= note.end_time <= run.end_time
    )  # when Prefect heard of it: it takes no other word
    assert run.end_time - note.end_time < timedelta(seconds=5)
    assert invite.total_run_time == invite.end_time - invite.start_time


def test_what_lasts_is_shown_while_it_goes_on(running: World, prefect: Prefect) -> None:
    states: list[object] = []

    def slow(_subject: str) -> None:
        (instance,) = eventually(
            lambda: [i for i in running.instances() if i.state == "running" and i.flow_run_id]
        )
        run = prefect.run_of(instance)
        states.append((run.state_name, eventually(lambda: prefect.tasks_of(run))))

    running.inbox.before = slow
    (meeting,) = running.save()

    (instance,) = eventually(lambda: running.about([meeting]))

    run = eventually(lambda: ended(prefect, instance))
    assert states == [("Running", [("Send the invitation", "Running")])]
    assert prefect.ended_tasks_of(run, 2) == [("Send the invitation", "Completed"), ("Note it", "Completed")]


def test_what_is_saved_in_a_stream_is_told_together_and_each_once(running: World, prefect: Prefect) -> None:
    def save_and_wait() -> Ref:
        (meeting,) = running.save()
        eventually(lambda: running.about([meeting]))
        return meeting

    meetings = [save_and_wait() for _ in range(30)]

    instances = eventually(lambda: running.shown(meetings))

    runs = {instance.flow_run_id for instance in instances}
    assert len(runs) < 30
    found = [eventually(lambda run=run: done(prefect, UUID(run))) for run in runs]
    assert {run.state_name for run in found} == {"Completed"}
    labelled = [number for run in found for number in instance_ids(run)]
    assert sorted(labelled) == sorted(instance.id for instance in instances)


def test_many_meetings_are_one_run_with_a_table_of_all_of_them(running: World, prefect: Prefect) -> None:
    meetings = running.save(50)

    instances = eventually(lambda: running.shown(meetings))

    runs = {instance.flow_run_id for instance in instances}
    assert len(runs) == 1
    run = eventually(lambda: ended(prefect, instances[0]))
    assert run.name == "Notify contact of meeting × 50"
    assert run.state
    assert run.state.message == "50 completed."
    tasks = prefect.ended_tasks_of(run, 2)
    assert tasks == [("Send the invitation for 50", "Completed"), ("Note it for 50", "Completed")]
    (table,) = prefect.client.read_artifacts(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
    assert table.description == "Notify contact of meeting × 50: 50 completed."
    assert str(table.data).count('"Outcome": "completed"') == 50
    assert "@" not in str(table.data)


def test_a_mail_that_must_wait_shows_as_waiting_and_then_as_done(running: World, prefect: Prefect) -> None:
    tries: list[str] = []

    def busy_once(subject: str) -> None:
        tries.append(subject)
        if len(tries) == 1:
            raise TransportDeferred("the mail server is busy")

    running.inbox.before = busy_once
    (meeting,) = running.save()

    (instance,) = eventually(lambda: running.about([meeting]))

    name = f"Notify contact of meeting: Kick-off (meeting {meeting.id})"
    runs = eventually(lambda: named(prefect, name, 2))
    assert sorted(run.state_name or "" for run in runs) == ["Completed", "Waiting"]
    assert instance.state == "completed"
    waiting = next(run for run in runs if run.state_name == "Waiting")
    assert waiting.state
    assert "the mail server is busy" in (waiting.state.message or "")


def test_a_held_instance_is_a_failed_run_and_a_retry_in_prefect_resumes_it(
    running: World, prefect: Prefect
) -> None:
    def refuse(_subject: str) -> None:
        raise TransportRefused("550 <ann@acme.example>: no such user")

    running.inbox.before = refuse
    (meeting,) = running.save()
    instance = eventually(
        lambda: next((i for i in running.instances() if i.state == "incident" and i.flow_run_id), None)
    )
    run = eventually(lambda: ended(prefect, instance))
    tasks = prefect.ended_tasks_of(run, 1)
    running.inbox.before = lambda _subject: None

    prefect.client.set_flow_run_state(run.id, AwaitingRetry())

    assert (run.state_name, tasks[0]) == ("Held", ("Send the invitation", "Failed"))
    assert run.state
    assert run.state.message == (
        "processes/notify_contact_of_meeting.yaml:19:5: 550 <(address)>: no such user. See: procession incidents"
    )
    (resumed,) = eventually(lambda: running.about([meeting]))
    assert resumed.id == instance.id
    assert resumed.state == "completed"
    again = eventually(lambda: ended(prefect, resumed, "Completed"))
    assert again.id == run.id


def test_the_run_button_starts_a_process_within_some_seconds(running: World, prefect: Prefect) -> None:
    pressed = prefect.press_run(meeting=running.meetings[0].id)

    run = eventually(lambda: done(prefect, pressed.id))
    assert run.state_name == "Completed"
    assert run.name == f"Notify contact of meeting: Kick-off 0 (meeting {running.meetings[0].id})"
    assert run.start_time
    assert (run.start_time - pressed.created).total_seconds() < 5  # type: ignore[operator]


def test_a_form_that_cannot_be_used_says_so_and_starts_nothing(running: World, prefect: Prefect) -> None:
    before = len(running.instances())

    pressed = prefect.press_run(meeting=70_000)

    run = eventually(lambda: done(prefect, pressed.id))
    assert (run.name, run.state_name) == ("Notify contact of meeting", "Not started")
    assert run.state
    assert run.state.message == "input 'meeting': there is no activity 70000."
    assert len(running.instances()) == before


def test_a_run_that_is_cancelled_in_prefect_stops_before_its_next_step(
    running: World, prefect: Prefect, caplog: pytest.LogCaptureFixture
) -> None:
    def slow(_subject: str) -> None:
        (instance,) = eventually(
            lambda: [i for i in running.instances() if i.state == "running" and i.flow_run_id]
        )
        prefect.client.set_flow_run_state(UUID(instance.flow_run_id), Cancelling())
        eventually(lambda: "cancelled in Prefect: 1" in caplog.text)

    running.inbox.before = slow
    (meeting,) = running.save(subject="Called off")

    (instance,) = eventually(lambda: running.about([meeting]))

    assert instance.state == "cancelled"
    run = eventually(lambda: ended(prefect, instance))
    assert run.state_name == "Cancelled"
    with running.store.unit(write=False) as unit:
        (rows,) = unit.journal.steps([instance.id]).values()
    assert [row.path for row in rows] == ["invite"]


def ended(prefect: Prefect, instance: object, name: str = "") -> object:
    run = prefect.run_of(instance)
    return run if run.state and run.state.is_final() and name in ("", run.state_name) else None


def done(prefect: Prefect, run_id: object) -> object:
    run = prefect.client.read_flow_run(run_id)
    return run if run.state and run.state.is_final() else None


def named(prefect: Prefect, name: str, count: int) -> list[object]:
    runs = prefect.client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[name])))
    return runs if len(runs) == count and all(run.state and run.state.is_final() for run in runs) else []
