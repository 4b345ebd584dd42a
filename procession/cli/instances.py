"""`instances`: what runs, what ran, and each step of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from procession.cli import output
from procession.cli.content import Json
from procession.cli.session import Session, session
from procession.errors import InputError
from procession.ports import ANY_KEY, Instance, StepRun, Wait
from procession.run import open_steps
from procession.spelling import count, did_you_mean, one_of
from procession.values import from_json

app = typer.Typer(help="What runs and what ran: instances of processes and their steps.")

STATES = ("ready", "running", "waiting", "queued", "completed", "stopped", "failed", "cancelled", "incident")
OUTPUT_WIDTH = 60
PATH_WIDTH = 32
TITLE_WIDTH = 80
MOST_NAMED = 10
"""So many of those that stand in line are named."""


@app.callback(invoke_without_command=True)
def instances(
    context: typer.Context,
    state: Annotated[list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these: {', '.join(STATES)}.")] = None,
    process: Annotated[str, typer.Option("--process", "-p", metavar="PROCESS", help="Only of this process.")] = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="At most so many.")] = 30,
    json: Json = False,
) -> None:  # fmt: skip
    """List instances of processes, newest first.

    Examples:

      procession instances
      procession instances --state incident --state failed
      procession instances show 12
      procession instances cancel 12
    """
    if context.invoked_subcommand:
        return
    for word in state or ():
        if word not in STATES:
            hint = did_you_mean(word, STATES) or f"It is {one_of(STATES)}."
            raise InputError(f"there is no state {word!r}", hint=hint)
    with session(context).application.store.unit(write=False) as unit:
        found = unit.journal.instances(states=state or (), process=process, limit=limit)
        lines = unit.journal.lines([instance.id for instance in found])
    if json:
        output.emit([document(instance, lines.get(instance.id, ())) for instance in found])
        return
    if not found:
        output.note("None.")
        return
    output.table(
        ("#", "what", "state", "started", "result"),
        [_line(instance, lines.get(instance.id, ())) for instance in found],
    )
    output.note(f"{count(len(found), 'instance')}.")


@app.command("show")
def show(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="N", help="The number of an instance")],
    json: Json = False,
) -> None:
    """Show one instance: what started it, and each step with its time, state and output.

    Examples:

      procession instances show 12
      procession instances show 12 --json
    """
    instance, steps, waits, line = read(session(context), number)
    if json:
        output.emit(whole_document(instance, steps, waits, line))
        return
    output.say(f"#{instance.id} {output.brief(instance.title, 3 * TITLE_WIDTH)}", "bold")
    output.facts(_facts(instance, waits, line))
    if steps:
        output.say()
        output.table(("step", "state", "when", "output"), [_step_line(step) for step in steps])
    if instance.error:
        output.say()
        tell_error(instance.error)


@app.command("cancel")
def cancel(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="N", help="The number of an instance")],
) -> None:
    """Stop an instance before its next step. What it did stays done.

    Examples:

      procession instances cancel 12
    """
    now = session(context)
    application = now.application
    read(now, number)
    with application.store.unit() as unit:
        asked = unit.journal.ask_to_stop(
            [number], f"cancelled by {application.user}", application.clock.now()
        )
        unit.commit()
    instance, *_ = read(now, number)
    if instance.state == "cancelled":
        output.say(f"Instance {number} is cancelled.")
    elif asked:
        output.say(f"Instance {number} will stop before its next step.")
    else:
        raise InputError(f"instance {number} cannot be cancelled: it is {instance.state}")


def read(now: Session, number: int) -> tuple[Instance, list[StepRun], tuple[Wait, ...], tuple[int, ...]]:
    """An instance with its journal, what it waits for, and the line for its key (`Journal.lines`).

    Raises:
        InputError: there is none of this number.
    """
    with now.application.store.unit(write=False) as unit:
        found = unit.journal.instances(ids=[number])
        steps = unit.journal.steps([number]).get(number, [])
        stored = unit.journal.positions([number]).get(number)
        waits = unit.journal.waits([number]).get(number, ())
        line = unit.journal.lines([number]).get(number, ())
    if not found:
        raise InputError(f"there is no instance {number}", hint="See: procession instances")
    plan = now.application.definitions.version(found[0].process, found[0].digest)
    return found[0], [*steps, *(open_steps(plan, found[0], stored, waits) if plan else ())], waits, line


def document(instance: Instance, line: Sequence[int] = ()) -> dict[str, Any]:
    before, behind = _around(instance, line)
    told = {**asdict(instance), "queued_after": before, "queued_behind": behind}
    for name in ("inputs", "trigger"):
        told[name] = from_json(told[name])
    return told


def _around(instance: Instance, line: Sequence[int]) -> tuple[int | None, Sequence[int]]:
    """Whom it comes after in a line, if it stands in one, and who comes after it."""
    place = line.index(instance.id) if instance.id in line else 0
    return line[place - 1] if place else None, line[place + 1 :]


def in_line(instance: Instance, line: Sequence[int]) -> str:
    """`queued, after instance 12`; nothing of one that stands in no line."""
    before, _ = _around(instance, line)
    return f"queued, after instance {before}" if before else ""


def in_the_way(instance: Instance, line: Sequence[int]) -> list[str]:
    """What the key of one that lives keeps from beginning."""
    _, behind = _around(instance, line)
    said = []
    if behind:
        numbers = ", ".join(map(str, behind[:MOST_NAMED])) + (", …" if len(behind) > MOST_NAMED else "")
        said.append(f"{count(len(behind), 'start')} queued behind it: {numbers}")
    if instance.refused:
        were, has = "was" if instance.refused == 1 else "were", "held" if instance.ended_at else "holds"
        said.append(f"{count(instance.refused, 'start')} {were} refused since it {has} the key")
    return said


def whole_document(
    instance: Instance, steps: Sequence[StepRun], waits: Sequence[Wait], line: Sequence[int]
) -> dict[str, Any]:
    told = {"waits": list(map(wait_document, waits)), "steps": list(map(step_document, steps))}
    return {**document(instance, line), **told}


def wait_document(wait: Wait) -> dict[str, Any]:
    reads = [f"{ref} {field}".strip() for ref, field in wait.reads if field]
    sought = [{"event": one.kind, "key": one.key} for one in wait.sought]
    return {
        "step": wait.path, "for": wait.kind, "since": wait.since, "until": wait.due, "expires": wait.expires,
        "moves_with": reads, "sought": sought,
    }  # fmt: skip


def said_of(wait: Wait) -> str:
    """`remind: until 2026-03-05 10:00, since 2026-03-02 09:00; moves with activity:17 start`."""
    what = {
        "retry": "another try",
        "mail": "the mail that is held back",
        "timer": "",
        "event": _sought(wait),
    }[wait.kind]
    until = f"until {output.short_time(wait.due)}" if wait.due else "nobody can say yet until when"
    if wait.kind == "event":
        until = f"until {output.short_time(wait.due)} at most" if wait.due else ""
    reads = ", ".join(f"{ref} {field}" for ref, field in wait.reads if field)
    said = ", ".join(part for part in (what, until, f"since {output.short_time(wait.since)}") if part)
    return f"{wait.path or 'its step'}: {said}{f'; moves with {reads}' if reads else ''}"


def _sought(wait: Wait) -> str:
    """`activity added (contact=contact:3) or message “order paid”`."""
    said = [f"{_named(one.kind)}{'' if one.key == ANY_KEY else f' ({_key(one.key)})'}" for one in wait.sought]
    return " or ".join(said) or "nothing that can come, as things stand"


def _named(kind: str) -> str:
    word, _, name = kind.partition(" ")
    return f"{word} “{name}”" if name else kind.replace(".", " ", 2)


def _key(key: str) -> str:
    """Without the words of expressions."""
    return key.removeprefix("event.data.").removeprefix("record.").removeprefix("record=")


def step_document(step: StepRun) -> dict[str, Any]:
    told = asdict(step)
    kept = from_json(told["output"])
    told["output"] = kept.get("out", {})
    return told


def tell_error(error: Mapping[str, Any]) -> None:
    """An error of the journal: where, what, and what to do."""
    place = " ".join(part for part in (str(error.get("place", "")), str(error.get("step", ""))) if part)
    output.say(f"{place}: {error.get('message', '')}" if place else str(error.get("message", "")), "red")
    if error.get("hint"):
        output.say(f"  {error['hint']}")


def _line(instance: Instance, line: Sequence[int]) -> tuple[str, str, Text, str, str]:
    told = instance.result or str((instance.error or {}).get("message", ""))
    result = output.brief(told or in_line(instance, line).removeprefix("queued, "), 2 * OUTPUT_WIDTH)
    return (
        str(instance.id), output.brief(instance.title, TITLE_WIDTH), output.state(instance.state), output.short_time(instance.started_at),
        result,
    )  # fmt: skip


def _facts(instance: Instance, waits: Sequence[Wait], line: Sequence[int]) -> list[tuple[str, str | Text]]:
    took = instance.ended_at - instance.started_at if instance.ended_at else None
    return [
        ("process", f"{instance.process} ({instance.digest[:8]})"),
        ("state", output.state(instance.state)),
        ("started", f"{output.moment(instance.started_at)}, {_started_by(instance.trigger)}"),
        ("ended", f"{output.moment(instance.ended_at)}, after {output.lasting(took)}" if took else ""),
        *(("waits", said_of(wait)) for wait in waits if instance.state == "waiting"),
        ("waits", in_line(instance, line)),
        *(("others", said) for said in in_the_way(instance, line)),
        ("result", instance.result),
        ("key", instance.key),
        ("inputs", brief(from_json(instance.inputs))),
        ("flow run", instance.flow_run_id),
    ]


def _started_by(trigger: Mapping[str, Any]) -> str:
    """`by hand, by anna`, or `by “saved”: activity:17 was added`."""
    if "by" in trigger:
        return f"by hand, by {trigger['by']}"
    record = f": {trigger['record']} was {trigger.get('event')}" if trigger.get("record") else ""
    return f"by “{trigger.get('id', '')}”{record}"


def path_of(step: StepRun) -> str:
    """The path of a step, with the rounds of the loops around it, counted as people do; of a long one the end."""
    rounds = ".".join(str(int(number) + 1) for number in step.round.split(".") if number)
    path = step.path if len(step.path) <= PATH_WIDTH else f"…{step.path[1 - PATH_WIDTH :]}"
    return f"{path} [{rounds}]" if rounds else path


def _step_line(step: StepRun) -> tuple[str, Text, str, str]:
    said = brief(from_json(step.output).get("out", {}))
    if step.error:
        said = str(step.error.get("message", ""))
    elif step.branch:
        said = f"→ {step.branch}"
    word = f"{step.state} (try {step.attempts})" if step.attempts > 1 else step.state
    return (
        path_of(step),
        Text(word, style=output.STATES.get(step.state, "")),
        step.at.astimezone().strftime("%H:%M:%S"),
        said,
    )


def brief(values: Any) -> str:
    """`name: value` pairs in a line, long ones cut, and without the Message-ID, which is long and read by nobody."""
    text = ", ".join(
        f"{name}: {_one(output.plain(value))}"
        for name, value in dict(values).items()
        if value not in ("", None, ()) and name != "message_id"
    )
    return output.brief(text, 2 * OUTPUT_WIDTH)


def _one(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
