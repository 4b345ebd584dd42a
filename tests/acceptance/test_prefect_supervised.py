"""A Prefect server that cannot start, or dies, keeps no mail from going out; it comes back by itself."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect.exceptions import ObjectNotFound
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
from flows import server as flows_server
from flows.client import connected
from flows.engine import ATTACH_SECONDS, Serving
from procession.ports import Instance

pytestmark = pytest.mark.acceptance


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@contextmanager
def serving(there: World, port: int = 0, text: str = NOTIFY) -> Iterator[Serving]:
    made = plan(text)
    settings = Settings(PrefectSettings(port=port, patience_seconds=15))
    with engine.serve(Project(there, {made.process: made}, settings)) as running:
        yield running


def told(there: World) -> Instance:
    """Save a meeting and wait for the mail about it."""
    meetings = there.save()
    (instance,) = eventually(lambda: there.about(meetings))
    assert instance.state == "completed"
    return instance


def shown(there: World, running: Serving, instance: Instance) -> str:
    """The state that Prefect shows for it, once it does."""

    def look() -> str:
        with connected(running.prefect.url) as client:
            run = client.read_flow_run(UUID(there.instance(instance.id).flow_run_id))
            return run.state_name or "" if run.state and run.state.is_final() else ""

    eventually(lambda: there.instance(instance.id).flow_run_id, 60)
    return eventually(look)


def child(there: World) -> psutil.Process | None:
    """The server that the engine of this world started, if one is alive."""
    home = str(there.folder / ".procession" / "prefect")
    for one in psutil.Process().children():
        with suppress(psutil.Error):  # it may end while it is looked at
            if "flows.server" in one.cmdline() and one.environ().get("PREFECT_HOME") == home:
                return one
    return None


def test_a_port_that_is_taken_holds_up_nothing_and_is_tried_again(there: World) -> None:
    with socket.socket() as taken:
        taken.bind((flows_server.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        began = time.monotonic()
        with serving(there, port) as running:
            took = time.monotonic() - began
            instance = told(there)
            without = running.ui_url
            taken.close()

            state = shown(there, running, instance)

            assert running.ui_url == f"http://127.0.0.1:{port}"
    log = (there.folder / ".procession" / "engine.log").read_text()
    assert took < ATTACH_SECONDS
    assert without == ""
    assert state == "Completed"
    assert len(there.inbox.ids) == 1
    assert f"port {port} is taken by another program; processes and mails go on without Prefect" in log
    assert "choose another port with PROCESSION_PREFECT_PORT" in log
    assert f"Prefect is there, and shows the runs at http://127.0.0.1:{port}" in log
    assert log.count("WARNING") == 1


def test_the_server_of_somebody_else_at_our_port_is_told_nothing(
    server: Server, prefect: Prefect, there: World
) -> None:
    with serving(
        there, server.port, NOTIFY.replace("notify_contact_of_meeting", "notify_elsewhere")
    ) as running:
        instance = told(there)

        assert flows_server.healthy(running.prefect.url)
        assert not running.prefect.answers()
        assert running.ui_url == ""
    assert there.instance(instance.id).flow_run_id == ""
    with pytest.raises(ObjectNotFound):
        prefect.deployment("notify_elsewhere")


def test_a_damaged_database_is_kept_aside_and_an_empty_one_takes_its_place(there: World) -> None:
    folder = there.folder / ".procession" / "prefect"
    folder.mkdir(parents=True)
    (folder / "prefect.sqlite").write_text("this is no database")

    with serving(there) as running:
        instance = told(there)
        state = shown(there, running, instance)

    (aside,) = folder.glob("prefect-damaged-20??-??-??-??????.sqlite")
    assert state == "Completed"
    assert aside.read_text() == "this is no database"
    assert f"damaged, and is kept as {aside}" in (there.folder / ".procession" / "engine.log").read_text()


def test_a_server_that_is_killed_while_it_starts_is_started_again(there: World) -> None:
    def kill() -> None:
        eventually(lambda: child(there)).kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with serving(there) as running:
        killer.join()
        instance = told(there)
        state = shown(there, running, instance)

    assert state == "Completed"
    assert len(there.inbox.ids) == 1
    log = (there.folder / ".procession" / "engine.log").read_text()
    assert "the Prefect server ended while it started: SIGKILL killed it" in log


def test_a_server_that_is_killed_later_is_started_again_and_shows_what_it_missed(there: World) -> None:
    with serving(there) as running:
        before = told(there)
        assert shown(there, running, before) == "Completed"
        there_was = child(there)
        assert there_was
        os.kill(there_was.pid, signal.SIGKILL)
        missed = told(there)

        states = [shown(there, running, missed), shown(there, running, before)]

        after = told(there)
        assert shown(there, running, after) == "Completed"
        again = child(there)
    assert states == ["Completed", "Completed"]
    assert again
    assert again.pid != there_was.pid
    assert child(there) is None
    assert len(there.inbox.ids) == 3


def test_a_folder_that_cannot_be_written_costs_the_pages_and_nothing_else(there: World) -> None:
    (there.folder / ".procession").mkdir()
    (there.folder / ".procession" / "prefect").write_text("a file where the folder should be")

    with serving(there) as running:
        instance = told(there)
        assert running.ui_url == ""

    assert instance.flow_run_id == ""
    assert "the Prefect server cannot be started" in (there.folder / ".procession" / "engine.log").read_text()
