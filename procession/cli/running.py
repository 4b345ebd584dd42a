"""`run`, `serve`, `deploy`: the engine, started by hand in this process or kept running."""

import logging
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from procession.cli import instances, output
from procession.cli.content import Json
from procession.cli.fields import pairs
from procession.cli.naming import numbered
from procession.cli.session import Session, session
from procession.cli.stopping import until_told_to_stop
from procession.errors import InputError
from procession.ports import Instance, Ports
from procession.spelling import count

if TYPE_CHECKING:
    from procession.application import Deployed
    from procession.plan import Plan, Step

GIVEN = typer.Option(
    "--input",
    "-i",
    metavar="NAME=VALUE",
    help="An input of the process; a record as activity:17, or by its name.",
)
LOOK = timedelta(seconds=0.2)


def add(app: typer.Typer) -> None:
    app.command(rich_help_panel="Running")(run)
    app.command(rich_help_panel="Running")(serve)
    app.command(rich_help_panel="Running")(deploy)


def run(
    context: typer.Context,
    process: Annotated[str, typer.Argument(metavar="PROCESS", help="The id of a process")],
    given: Annotated[list[str] | None, GIVEN] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Run it here to its end, or leave it to a running engine.")] = True,
    json: Json = False,
) -> None:  # fmt: skip
    """Start the current version of a process by hand, and run it to its end in this process.

    With SQLite the files are published first, as by `serve`. Exit code 1 if it failed, or stopped at an error that a person must look at.

    Examples:

      procession run notify_contact_of_meeting --input meeting=activity:17
      procession run notify_contact_of_meeting --input meeting=activity:17 --no-wait
    """
    now = session(context)
    from procession.dispatch import start_by_hand
    from procession.witness import refuse_if_held

    plan = now.current(process)
    inputs = read_inputs(now, plan, pairs(given or (), "--input"))
    ports = now.application.ports()
    refuse_if_held(ports)
    _tell_redirect(ports.redirect_all_to)
    started = start_by_hand(ports, plan, inputs, actor=now.actor)
    if started is None:
        raise InputError(
            f"process {process!r} runs for this already, and it runs once at a time",
            hint="See: procession instances",
        )
    number = started.id
    if wait:
        _to_its_end(plan, number, ports, quiet=json)
    instance, steps, waits, line = instances.read(now, number)
    if json:
        output.emit(instances.whole_document(instance, steps, waits, line))
    elif wait and instance.state != "queued":
        output.say(f"Instance {number}: {instance.state}{f', {instance.result}' if instance.result else ''}.")
        for waiting in waits:
            output.note(f"  {instances.said_of(waiting)}; an engine (`procession serve`) goes on then")
        if instance.error:
            instances.tell_error(instance.error)
        output.note(f"See: procession instances show {number}")
    else:
        told = instances.in_line(instance, line) or "ready"
        output.say(f"Instance {number} is {told}; `procession serve` takes it up.")
    if instance.state in ("failed", "incident"):
        raise typer.Exit(1)


def read_inputs(now: Session, plan: "Plan", written: Mapping[str, str]) -> dict[str, Any]:
    """The inputs of a process from text.

    Raises:
        InputError: as `procession.inputs.checked`; or a name is nobody's, or of several.
    """
    from procession.inputs import MissingInputError, checked

    types = {declared.name: declared.type for declared in plan.inputs}
    named = {
        name: numbered(now, types[name].of, text)
        if name in types and types[name].name == "record" and text
        else text
        for name, text in written.items()
    }
    try:
        return checked(plan, named, now.caller)
    except MissingInputError as error:
        example = shlex.quote(error.example) if error.example else "…"
        raise InputError(error.message, hint=f"Give it as --input {error.name}={example}") from None


def serve(
    context: typer.Context,
    publish: Annotated[
        bool | None,
        typer.Option(
            "--publish/--no-publish",
            help="Publish the files first; the default with SQLite.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run the engine: every saved record, due schedule and manual start does what the processes say.

    It runs the current versions of the database. With SQLite it publishes new versions of its files when it starts,
    with PostgreSQL only if asked to. What is saved while it runs takes effect with `procession deploy`, at once.

    It starts a Prefect server to look at the runs, unless PREFECT_API_URL names one. Stop it with Ctrl-C: what
    runs is finished or goes on at the next start; nothing is lost.

    Examples:

      procession serve
      procession serve --publish
      PREFECT_API_URL=http://127.0.0.1:4200/api procession serve
    """
    with until_told_to_stop():
        application = session(context).application
        _tell_what_happens()
        output.note("Starting …")
        _tell_redirect(application.redirect_all_to)
        with application.serve(publish=publish) as engine:
            running = sorted(engine.processes)
            output.say(
                f"Serving {count(len(running), 'process')}{': ' if running else ''}{', '.join(running)}"
            )
            if engine.ui_url:
                output.say(f"Runs: {engine.ui_url}")
            output.note("To let it go by files that you change: procession deploy. Stop with Ctrl-C.")
            engine.wait()
    output.note("Stopped.")


def _tell_redirect(address: str) -> None:
    if address:
        output.note(f"TEST SYSTEM: ALL MAIL GOES TO {address} (mail.redirect_all_to)", "bold yellow")


def _tell_what_happens() -> None:
    """The log of the engine on standard error: one line for each fact, without addresses or subjects."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    for name in ("procession", "flows", "crm"):
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).propagate = False  # Prefect, once imported, writes what reaches the root


def deploy(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what is not in step; exit code 1 then.")
    ] = False,
    back: Annotated[
        bool, typer.Option("--back", help="Also files that are older versions, which were current before.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Also retire the processes of this folder whose file is gone.")
    ] = False,
    json: Json = False,
) -> None:
    """Make the files of the project the current versions of its processes, and keep prefect.yaml in step with them.

    All or nothing: if a file cannot be used, nothing is published. What runs goes on with the version it began with.
    `prefect deploy --all` then tells a Prefect server that `serve` does not work with.

    Examples:

      procession deploy
      procession deploy --check
      procession deploy --back
      procession deploy --prune
      procession deploy && prefect deploy --all
    """
    from procession.publications import Asked

    done = session(context).application.deploy(Asked(back=back, prune=prune, dry_run=check))
    if json:
        output.emit(_deployed(done))
    else:
        _tell_deployed(done, checked=check)
    if check and (done.changes or done.published.changes):
        raise typer.Exit(1)


def _deployed(done: "Deployed") -> dict[str, Any]:
    versions = [asdict(change) for change in done.published.changes]
    return {
        "versions": versions,
        "file": str(done.file),
        "processes": done.processes,
        "changes": done.changes,
    }


def _tell_deployed(done: "Deployed", *, checked: bool) -> None:
    for sentence in done.published.sentences():
        output.say(sentence)
    left = {change.what for change in done.published.changes}
    if "older" in left:
        output.note("To take the older files: procession deploy --back")
    if "gone" in left:
        output.note("To retire what has no file any more: procession deploy --prune")
    for change in done.changes:
        output.say(f"{done.file.name}: {change}")
    state = "as it was" if not done.changes else "not in step" if checked else "written"
    output.note(f"{done.file} is {state}: {count(len(done.processes), 'deployment')}.")


def _to_its_end(plan: "Plan", number: int, ports: Ports, *, quiet: bool) -> None:
    """Run one instance until it is over, is held or waits, here or in an engine that was faster. What is to be tried again
    is tried here."""
    from procession.advance import advance
    from procession.engine import claim
    from procession.engines import beating

    def wrap(step: "Step", _count: int, do: Callable[[], Any]) -> Any:
        if not quiet:
            output.note(f"  {step.path}: {step.title}")
        return do()

    with beating(ports.engine):
        while (instance := _instance(number, ports)).state in ("ready", "running", "waiting"):
            if mine := claim(ports, 1, [number]):
                advance(plan, mine, ports, wrap)
            elif not _waits_for_another_try(instance, ports):
                break


def _instance(number: int, ports: Ports) -> Instance:
    with ports.store.unit(write=False) as unit:
        return unit.journal.instances(ids=[number])[0]


def _waits_for_another_try(instance: Instance, ports: Ports) -> bool:
    """Wait for its next try, which is announced, or for an engine that has it; False if it waits for anything else."""
    now = ports.clock.now()
    with ports.store.unit() as unit:
        waits = unit.journal.waits([instance.id]).get(instance.id, ())
        moments = [wait.due for wait in waits if wait.kind == "retry" and wait.due]
        if instance.state == "waiting" and not moments:
            return False
        for wait in waits:
            if wait.due and wait.due <= now:
                unit.journal.wake(instance.id, wait.path, wait.round, now)
        unit.commit()
    pause = min(moments, default=now) - now
    if pause > LOOK:
        why = (instance.error or {}).get("message", "")
        again = f"tries again at {output.moment(min(moments))} (Ctrl-C leaves that to an engine)"
        output.note(f"  {why + '; ' if why else ''}{again}")
    time.sleep(min(max(pause, LOOK), timedelta(minutes=1)).total_seconds())
    return True
