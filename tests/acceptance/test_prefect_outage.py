"""Prefect slow, frozen or gone: no process waits for it or is lost, and it shows everything afterwards."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.states import Running
from prefect_world import Prefect, PrefectSettings, Project, Server, Settings, World, eventually, plan, world

from flows import engine, words
from flows.breaker import Breaker
from flows.client import connected
from flows.reporting import Reporter
from flows.runs import Runs
from flows.starting import Host
from flows.telling import Teller
from procession.definitions import Definitions

pytestmark = pytest.mark.acceptance

PATIENCE = 1.0
SOON = 10.0
"""Seconds within which all is done on a busy machine, but for what waits for Prefect."""


@pytest.fixture
def running(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An engine that is shown in a Prefect server; the first run is behind it."""
    made = plan()
    with world(tmp_path_factory.mktemp("world")) as there:
        settings = Settings(PrefectSettings(server.url, patience_seconds=PATIENCE))
        with engine.serve(Project(there, {made.process: made}, settings)):
            meetings = there.save()
            eventually(lambda: there.about(meetings))
            yield there


def test_a_frozen_prefect_costs_nothing_and_shows_the_runs_later(
    server: Server, prefect: Prefect, running: World
) -> None:
    server.freeze()
    began = time.monotonic()

    first = running.save()
    eventually(lambda: running.about(first))
    first_took = time.monotonic() - began
    second = running.save()
    eventually(lambda: running.about(second))
    second_took = time.monotonic() - began - first_took
    server.thaw()

    assert first_took < PATIENCE
    assert second_took < PATIENCE
    (instance,) = eventually(lambda: running.shown(second))
    run = eventually(lambda: final(prefect, instance))
    assert run.name == f"Notify contact of meeting: Kick-off (meeting {second[0].id})"
    assert run.state_name == "Completed"
    assert prefect.ended_tasks_of(run, 2) == [("Send the invitation", "Completed"), ("Note it", "Completed")]
    assert run.deployment_id == prefect.deployment()


def test_a_run_that_is_told_much_later_says_when_it_really_ran(
    server: Server, prefect: Prefect, running: World
) -> None:
    server.freeze()
    meeting = running.save()
    (instance,) = eventually(lambda: running.about(meeting))
    time.sleep(words.LATE.total_seconds())
    server.thaw()

    (instance,) = eventually(lambda: running.shown(meeting))
    run = eventually(lambda: final(prefect, instance))

    assert run.state.message.startswith(f"Done. It ran at {instance.started_at:%Y-%m-%d %H:%M:}")


def test_while_prefect_is_gone_work_goes_on_and_is_shown_when_it_is_back(
    server: Server, prefect: Prefect, running: World
) -> None:
    server.kill()

    few = running.save(2)
    eventually(lambda: running.about(few))
    many = running.save(40)
    eventually(lambda: running.about(many))
    server.start()

    assert len(running.inbox.ids) == len(set(running.inbox.ids)) == 43
    instances = eventually(lambda: running.shown([*few, *many]), 60)
    runs = {instance.flow_run_id for instance in instances}
    shown = [eventually(lambda one=one: final(prefect, one)) for one in instances]
    (run,) = {run.id: run for run in shown if "×" in run.name}.values()
    assert (run.name, len(runs)) == ("Notify contact of meeting × 40", 3)
    assert run.state_name == "Completed"
    (table,) = prefect.client.read_artifacts(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
    assert str(table.data).count('"Outcome": "completed"') == 40


def test_a_run_in_whose_middle_prefect_dies_goes_on_and_gets_its_end_later(
    server: Server, prefect: Prefect, running: World
) -> None:
    def shown_and_then_not(_subject: str) -> None:
        eventually(lambda: [i for i in running.instances() if i.state == "running" and i.flow_run_id])
        server.kill()

    running.inbox.before = shown_and_then_not
    meeting = running.save()
    (instance,) = eventually(lambda: running.about(meeting))
    running.inbox.before = lambda _subject: None

    server.start()

    assert instance.state == "completed"
    assert instance.flow_run_id
    run = eventually(lambda: final(prefect, instance), 60)
    assert run.state_name == "Completed"


def test_what_prefect_hangs_at_does_not_hold_up_the_next_work(
    server: Server, prefect: Prefect, running: World
) -> None:
    running.inbox.before = lambda _subject: server.freeze()
    began = time.monotonic()
    meeting = running.save()
    (instance,) = eventually(lambda: running.about(meeting))
    took = time.monotonic() - began
    running.inbox.before = lambda _subject: None
    following = running.save()
    eventually(lambda: running.about(following))
    following_took = time.monotonic() - began - took

    server.thaw()

    assert took < SOON
    assert following_took < PATIENCE + SOON
    (instance,) = eventually(lambda: running.shown(meeting), 60)
    assert eventually(lambda: final(prefect, instance), 60).state_name == "Completed"
    eventually(lambda: running.shown(following), 60)


def test_a_run_that_a_killed_engine_left_is_ended_by_the_next_one(
    server: Server, running: World, tmp_path
) -> None:
    made = plan()
    dead = running.ports()
    of_the_dead = Runs(Host(dead, Definitions({made.process: made})), tmp_path)
    living = Runs(Host(running.ports(), Definitions({made.process: made})), tmp_path)
    finished = replace(running.instances()[0], fencing_token=7)  # else it would be the run that shows it
    open_ = replace(finished, id=999)
    again = replace(open_, fencing_token=open_.fencing_token + 1)
    with connected(server.url) as client:
        for runs in (of_the_dead, living):
            runs.deployments[made.process] = Prefect(client).deployment()
        over = of_the_dead.create(client, made, [finished], Running())
        left = of_the_dead.create(client, made, [open_], Running())
        going_on = living.create(client, made, [again], Running())
        dead.engine.leave()

        mended = Reporter(living, Teller(living, Breaker(server.url), PATIENCE)).mend(client)

        states = [client.read_flow_run(run.id).state_name for run in (over, left, going_on)]
        crashed = client.read_flow_run(left.id).state
        client.delete_flow_run(going_on.id)
    assert mended == 2
    assert states == ["Completed", "Crashed", "Running"]
    assert crashed
    assert crashed.message == "The engine was stopped in the middle of this run; another run goes on with it."


def final(prefect: Prefect, instance) -> object:
    run = prefect.run_of(instance)
    return run if run.state and run.state.is_final() else None
