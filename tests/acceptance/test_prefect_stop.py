"""An engine that is told to stop finishes the step that is under way, and another one goes on after it."""

import threading

import pytest
from prefect_world import NOTIFY, Prefect, PrefectSettings, Project, Server, Settings, eventually, plan, world

from flows import engine

pytestmark = pytest.mark.acceptance


def test_the_step_under_way_is_finished_and_the_next_engine_goes_on(
    server: Server, prefect: Prefect, tmp_path
) -> None:
    # a process of its own: other tests leave runs of theirs on the server, and an engine takes those up
    made = plan(NOTIFY.replace("process: notify_contact_of_meeting", "process: notify_and_stop"))
    sending, stopping = threading.Event(), threading.Event()
    with world(tmp_path) as there:
        project = Project(
            there, {made.process: made}, Settings(PrefectSettings(server.url, patience_seconds=15))
        )

        def wait_for_the_stop(_subject: str) -> None:
            sending.set()
            assert stopping.wait(20)

        there.inbox.before = wait_for_the_stop
        with engine.serve(project) as serving:
            there.save()
            assert sending.wait(20)
            serving.host.stopping.set()
            stopping.set()
        (stopped,) = there.instances()
        run = prefect.run_of(stopped)
        there.inbox.before = lambda _subject: None
        with engine.serve(project):
            (ended,) = eventually(lambda: [i for i in there.instances() if i.ended_at])

    tasks = prefect.ended_tasks_of(run, 1)
    assert stopped.state == "ready"
    assert (run.state_name, [name for name, _ in tasks]) == (
        "Interrupted",
        ["Send the invitation"],
    )
    assert ended.state == "completed"
    assert len(there.inbox.ids) == 1
