"""`demo`: the main job on real parts, in a scratch folder, as it happens.

scratch project    settings, the process, its templates; an embedded database with sample data
servers            a local inbox (SMTP) and a Prefect server, both on free ports
a saved meeting    or many, in one transaction
what came of it    read from the journal, the inbox, the History and Prefect: nothing is taken on trust
"""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from procession.application import Application, FlowRun, Running, load
from procession.cli import history, mails, output
from procession.cli.content import Json
from procession.cli.demo_view import View
from procession.cli.init import copy_content, write_project
from procession.errors import TemporaryError
from procession.ports import HistoryRow, Instance
from procession.records import Ref

if TYPE_CHECKING:
    from procession.testing.inbox import Inbox
    from procession.testing.received import Received

PROCESS = "notify_contact_of_meeting"
LOOK = 0.05
GOING_ON = ("ready", "running")
PREFECT_PATIENCE = timedelta(seconds=90)
"""The first Prefect server on a slow machine is longer in starting than the mails are on their way."""

SETTINGS = """\
mail_domain = "demo.example"
default_sender = "Sales <sales@demo.example>"

[smtp]
host = "{host}"
port = {port}
security = "none"

[prefect]
port = 0
"""


@dataclass(slots=True)
class Happened:
    """What came of the saved meetings, and how long what took, in seconds."""

    meetings: Sequence[Ref]
    saved_at: datetime
    instances: list[Instance] = field(default_factory=list)
    received: "list[Received]" = field(default_factory=list)
    history: list[HistoryRow] = field(default_factory=list)
    flow_runs: list[FlowRun] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def add(app: typer.Typer) -> None:
    app.command(rich_help_panel="Start here")(demo)


def demo(
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, max=10_000, help="How many meetings are saved at once.")] = 1,
    keep_open: Annotated[bool, typer.Option("--keep-open", help="Leave everything running to look at, until Ctrl-C.")] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """See the main job work, with nothing set up: a saved meeting becomes an e-mail and a line of History.

    In a scratch folder it starts a database, a mail server and a Prefect server, saves a meeting, and shows
    what happens. Exit code 0 only if every mail arrived exactly once and every line of History is there.

    Examples:

      procession demo
      procession demo --count 200
      procession demo --keep-open
      procession demo --json
    """
    from procession.testing.inbox import Inbox

    view = View(quiet=json)
    began = time.monotonic()
    with _undisturbed(), _scratch() as folder, Inbox() as inbox:
        view.intend("Making a database with sample data")
        application = _prepared(folder, inbox)
        view.ready(f"a database in {folder}")
        view.ready(f"a mail server on {inbox.host}:{inbox.port}")
        view.intend("Starting a Prefect server, which takes a few seconds")
        with application.serve() as engine:
            view.ready(f"a Prefect server at {engine.ui_url}")
            setup = time.monotonic() - began
            happened = _happen(application, engine, inbox, count, view)
            happened.seconds = {"setup": setup, **happened.seconds, "total": time.monotonic() - began}
            problems = _problems(happened, count)
            if json:
                output.emit(_document(happened))
            view.result(happened, engine, problems)
            if keep_open:
                view.open_until_stopped(engine, folder)
        application.close()
    for problem in problems:
        output.note(problem, "red")
    if problems:
        raise typer.Exit(1)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Settings of somebody's real project in the environment would win over the demo's: mail would really go out. And
    what the engine notes is for its log: what happens is told by the view."""
    before = dict(os.environ)
    loggers = [logging.getLogger(name) for name in ("procession", "flows", "crm")]
    reached = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.propagate = False
    for name in before:
        if name.startswith("PROCESSION_") or name == "PREFECT_API_URL":
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)
        for logger, propagates in zip(loggers, reached, strict=True):
            logger.propagate = propagates


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="procession-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(folder: Path, inbox: "Inbox") -> Application:
    """A project with the one process of the demo, and sample data."""
    list(write_project(folder, SETTINGS.format(host=inbox.host, port=inbox.port)))
    application = load(folder)
    list(copy_content(application.shipped, folder))
    for file in application.processes.glob("*.yaml"):
        if file.stem != PROCESS:
            file.unlink()
    application.upgrade()
    application.load_sample()
    return application


def _happen(application: Application, engine: Running, inbox: "Inbox", count: int, view: View) -> Happened:
    """Save the meetings, and watch until all of it is over."""
    saved = application.save_meetings(count)
    happened = Happened(saved, application.clock.now())
    view.saved(application, saved)
    began = time.monotonic()
    _watch(application, inbox, happened, count, view, began + 60 + count / 2)
    happened.seconds["run"] = time.monotonic() - began
    happened.received = inbox.mails
    if inbox.mails:
        last = max(mail.received_at for mail in inbox.mails)
        first = min(mail.received_at for mail in inbox.mails)
        happened.seconds["first_mail"] = (first - happened.saved_at).total_seconds()
        happened.seconds["last_mail"] = (last - happened.saved_at).total_seconds()
    happened.history = _history(application, happened)
    view.intend("Asking Prefect for its runs")
    happened.flow_runs = _flow_runs(application, engine, happened)
    return happened


def _watch(
    application: Application, inbox: "Inbox", happened: Happened, count: int, view: View, until: float
) -> None:
    """Show what the journal and the inbox say, until every instance has ended or the time is up."""
    with view.watching(count) as seen:
        while time.monotonic() < until:
            happened.instances = _instances(application, happened)
            with application.store.unit(write=False) as unit:
                steps = unit.journal.steps([i.id for i in happened.instances]) if count == 1 else {}
            seen(happened, [row for rows in steps.values() for row in rows], inbox.mails)
            if len(happened.instances) >= count and not any(i.state in GOING_ON for i in happened.instances):
                return
            time.sleep(LOOK)


def _instances(application: Application, happened: Happened) -> list[Instance]:
    wanted = {str(ref) for ref in happened.meetings}
    with application.store.unit(write=False) as unit:
        found = unit.journal.instances(process=PROCESS, limit=len(wanted) + 10)
    return [instance for instance in found if instance.trigger.get("record") in wanted]


def _history(application: Application, happened: Happened) -> list[HistoryRow]:
    """The lines about the e-mails of these instances, from the History of the opportunities."""
    ours = {instance.id for instance in happened.instances}
    with application.store.unit(write=False) as unit:
        meetings = unit.records.fetch(happened.meetings, frozenset({("opportunity",)}))
        opportunities = {Ref("opportunity", m.opportunity.id) for m in meetings.values() if m.opportunity}
        rows = [row for ref in sorted(opportunities) for row in unit.history.of(ref, 100_000)]
    return [row for row in rows if row.actor.instance in ours and row.kind == "email"]


def _flow_runs(application: Application, engine: Running, happened: Happened) -> list[FlowRun]:
    """The runs as Prefect has them; it hears of them a moment later than the journal."""
    until = time.monotonic() + PREFECT_PATIENCE.total_seconds()
    runs: list[FlowRun] = []
    while time.monotonic() < until:
        happened.instances = _instances(application, happened)
        if any(instance.state == "incident" for instance in happened.instances):
            break
        ids = {instance.flow_run_id for instance in happened.instances}
        if "" not in ids:
            try:
                runs = engine.flow_runs(sorted(ids))
            except TemporaryError:
                runs = []
            if len(runs) == len(ids) and all(run.ended for run in runs):
                break
        time.sleep(4 * LOOK)
    return runs


def _problems(happened: Happened, count: int) -> list[str]:
    """What is not as it must be, in sentences."""
    ids = [mail.message_id for mail in happened.received]
    ended = [instance for instance in happened.instances if instance.state == "completed"]
    found = []
    if len(ended) != count:
        found.append(f"{len(ended)} of {count} instances completed.")
    failed = [instance for instance in happened.instances if instance.error]
    found += [f"Instance {i.id} is {i.state}: {(i.error or {}).get('message')}" for i in failed[:1]]
    if len(set(ids)) != count:
        found.append(f"{len(set(ids))} of {count} mails arrived.")
    if len(ids) != len(set(ids)):
        found.append(f"{len(ids) - len(set(ids))} mails arrived twice.")
    activities = {row.activity for row in happened.history if row.delivery == "sent"}
    if len(activities) != count or len(happened.history) != count:
        found.append(f"{len(activities)} of {count} lines of History are there, as sent.")
    if not happened.flow_runs or any(run.state != "COMPLETED" for run in happened.flow_runs):
        found.append("Prefect has no completed run of it.")
    return found


def _document(happened: Happened) -> dict[str, Any]:
    return {
        "emails": [_mail(mail) for mail in happened.received],
        "history": [history.document(row) for row in happened.history],
        "flow_runs": [
            {"id": run.id, "name": run.name, "state": run.state, "url": run.url} for run in happened.flow_runs
        ],
        "seconds": {name: round(value, 3) for name, value in happened.seconds.items()},
    }


def _mail(mail: "Received") -> dict[str, Any]:
    read_back = mails.written(mail.data)
    return {
        "to": read_back.to, "subject": read_back.subject, "message_id": mail.message_id,
        "from": read_back.headers.get("From", ""), "received_at": mail.received_at, "text": read_back.text,
    }  # fmt: skip
