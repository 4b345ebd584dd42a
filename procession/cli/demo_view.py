"""What the demo shows: each thing as it happens, with the time since the meeting was saved."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.status import Status
from rich.text import Text

from procession.cli import history, mails, output
from procession.cli.stopping import until_told_to_stop
from procession.ports import StepRun
from procession.records import Ref, fields_of

if TYPE_CHECKING:
    from procession.application import Application, Running
    from procession.cli.demo import Happened
    from procession.testing.received import Received

Seen = Callable[["Happened", Sequence[StepRun], "Sequence[Received]"], None]
MOST_LINES = 8
MORE = 'crm save meeting --subject Lunch --contact contact:2 --owner user:1 --start "+1 day"'


class View:
    """Writes to standard output; with `quiet` only the state of things, to standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._status: Status | None = None

    def intend(self, what: str) -> None:
        """Something that takes a moment begins."""
        self._settle()
        self._status = output.words().status(f"{what} …")
        if output.words().is_terminal:
            self._status.start()

    def ready(self, what: str) -> None:
        self._settle()
        if not self.quiet:
            output.say(Text.assemble(("✓ ", "green"), what))

    def saved(self, application: "Application", meetings: Sequence[Ref]) -> None:
        self._settle()
        if self.quiet:
            return
        if len(meetings) > 1:
            output.say(f"\nSaved {len(meetings):,} meetings, in one transaction.\n")
            return
        with application.store.unit(write=False) as unit:
            paths = frozenset({("contact",), ("opportunity",), ("owner",)})
            meeting = fields_of(unit.records.fetch(meetings, paths)[meetings[0]])
        reader = fields_of(meeting["contact"])
        reads = f"reads {reader['language'] or 'en'}, lives in {reader['timezone'] or 'UTC'}"
        what = f"“{meeting['subject']}”, {meeting['start']:%A, %H:%M} UTC"
        output.say(
            f"\n{meeting['owner']} plans a meeting with {meeting['contact']} ({reads}):\n{what}\n", "bold"
        )

    @contextmanager
    def watching(self, count: int) -> Iterator[Seen]:
        """Gives the function that is to be told what is there by now."""
        if count == 1:
            yield self._timeline()
            return
        with Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn(),
            console=output.words(), disable=not output.words().is_terminal,
        ) as bars:  # fmt: skip
            arrived = bars.add_task("mails arrived", total=count)
            ended = bars.add_task("instances done", total=count)

            def seen(happened: "Happened", _steps: Sequence[StepRun], received: "Sequence[Received]") -> None:
                bars.update(arrived, completed=len(received))
                bars.update(ended, completed=sum(i.ended_at is not None for i in happened.instances))

            yield seen

    def _timeline(self) -> Seen:
        """Prints each new thing once, in the order of its time."""
        shown: set[str] = set()

        def seen(happened: "Happened", steps: Sequence[StepRun], received: "Sequence[Received]") -> None:
            for at, key, what, about in sorted(_things(happened, steps, received)):
                if key not in shown and not self.quiet:
                    self._line(at, happened.saved_at, what, about)
                shown.add(key)

        return seen

    @staticmethod
    def _line(at: datetime, since: datetime, what: str, about: str) -> None:
        milliseconds = max(0.0, (at - since).total_seconds() * 1000)
        line = Text.assemble((f"{milliseconds:6.0f} ms  ", "dim"), (f"{what:<11}", "cyan"), about)
        output.out().print(line, no_wrap=True, overflow="ellipsis")

    def result(self, happened: "Happened", engine: "Running", problems: Sequence[str]) -> None:
        """The mail as received, the History, the run, and how long it took."""
        self._settle()
        if self.quiet:
            return
        count = len(happened.meetings)
        for mail in happened.received[: 1 if count == 1 else 0]:
            _mail(mail, f"The mail, as {mails.written(mail.data).to} received it")
        if happened.history:
            output.say(f"\n{_heading(happened)}", "bold")
            output.table(
                ("when", "what", "by", "mail"), [history.line(row) for row in happened.history[:MOST_LINES]]
            )
        if len(happened.history) > MOST_LINES:
            output.say(f"… and {len(happened.history) - MOST_LINES:,} more.", "dim")
        _runs(happened, engine)
        if not problems:
            output.say(_summary(happened), "green")

    def open_until_stopped(self, engine: "Running", folder: Path) -> None:
        program = "procession" if shutil.which("procession") else sys.argv[0]
        output.note(
            f"\nAll of it is left running. Look at the runs: {engine.ui_url}\nOr try, in another terminal:\n"
        )
        output.note(f"  export PROCESSION_PROJECT={folder}")
        for command in ("instances", "history opportunity:4", MORE):
            output.note(f"  {program} {command}")
        output.note("\nStop with Ctrl-C.")
        with until_told_to_stop():
            engine.wait()
        output.note("Stopping …")

    def _settle(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None


def _things(
    happened: "Happened", steps: Sequence[StepRun], received: "Sequence[Received]"
) -> Iterator[tuple[datetime, str, str, str]]:
    """(when, key, what, about) of everything there is by now."""
    yield happened.saved_at, "saved", "saved", f"the meeting, and with it the event ({happened.meetings[0]})"
    for instance in happened.instances:
        trigger = instance.trigger
        yield (
            instance.started_at, f"start {instance.id}", "trigger",
            f"{trigger.get('record')} was {trigger.get('event')} → {instance.process} #{instance.id}",
        )  # fmt: skip
        if instance.ended_at:
            yield instance.ended_at, f"end {instance.id}", instance.state, f"#{instance.id} {instance.title}"
    for step in steps:
        if step.state in ("done", "skipped"):
            yield (
                step.at,
                f"step {step.path} {step.round}",
                "step",
                f"{step.path} ({step.kind}): {step.state}",
            )
    for mail in received:
        yield mail.received_at, f"mail {id(mail)}", "mail", f"{mail.recipients[0]} has “{mail.subject}”"


def _mail(mail: "Received", title: str) -> None:
    read_back = mails.written(mail.data)
    text = Text()
    for name, value in read_back.headers.items():
        text.append(f"{name}: ", "bold cyan").append(f"{value}\n")
    text.append("\n" + read_back.text)
    for name, media_type, size in read_back.attachments:
        text.append(f"\n\n[attached: {name}, {media_type}, {size:,} bytes]", "dim")
    output.say()
    output.out().print(Panel(text, title=title, title_align="left", box=box.ROUNDED, padding=(0, 1)))


def _heading(happened: "Happened") -> str:
    if len(happened.meetings) > 1:
        return f"History: {len(happened.history):,} new lines in all opportunities"
    return f"History of {happened.history[0].on}"


def _runs(happened: "Happened", engine: "Running") -> None:
    if happened.flow_runs:
        output.say(f"\nIn Prefect ({engine.ui_url})", "bold")
    for run in happened.flow_runs[:MOST_LINES]:
        output.say(
            Text.assemble(
                (f"  {run.state.lower()}  ", "green" if run.state == "COMPLETED" else "red"), run.name
            )
        )
        output.say(f"  {run.url}", "dim")


def _summary(happened: "Happened") -> str:
    count, last = len(happened.meetings), happened.seconds.get("last_mail", 0.0)
    if count == 1:
        return f"\nOne mail, one line of History, one run. From saved to accepted: {last * 1000:.0f} ms."
    ids = len({mail.message_id for mail in happened.received})
    return (
        f"\n{ids:,} mails, each once; {len(happened.history):,} lines of History.\n"
        f"From saved to the last mail accepted: {last:.2f} s, {count / max(last, 0.001):.0f} a second."
    )
