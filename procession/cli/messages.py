"""`message` and `signal`: tell processes of what no saved record tells of, from a terminal or a script."""

import json as json_
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from procession.cli import output
from procession.cli.content import Json
from procession.cli.fields import pairs
from procession.cli.session import Session, session
from procession.errors import InputError, PermanentError
from procession.ports import Event

if TYPE_CHECKING:
    from procession.plan import Plan

NAME = typer.Argument(metavar="NAME", help="What the processes call it, such as “order paid”.")
ABOUT = typer.Option("--about", metavar="RECORD", help="The record that it is about, as contact:17.")
DATA = typer.Option(
    "--data",
    metavar="NAME=VALUE",
    help="Data; a number, true and false as such, all else as text. Digits that are a text in two quotes: 'order=\"17\"'.",
)
ONCE = typer.Option("--once", metavar="KEY", help="Tell it once, however often it is told with this key.")


def add(app: typer.Typer) -> None:
    app.command(rich_help_panel="Running")(message)
    app.command(rich_help_panel="Running")(signal)


def message(
    context: typer.Context,
    name: Annotated[str, NAME],
    about: Annotated[str | None, ABOUT] = None,
    data: Annotated[list[str] | None, DATA] = None,
    once: Annotated[str, ONCE] = "",
    json: Json = False,
) -> None:
    """Send a message to the processes that wait for it, or start by it.

    It is for those whose record it is about, or whose data it names. One that nobody waits for yet counts later, for instances
    that have begun by now.

    Examples:

      procession message "order paid" --about opportunity:3 --data amount=1200
      procession message "order paid" --data order=A-17 --once payment-4711
    """
    _tell(session(context), "message", name, about, data or (), once, json=json)


def signal(
    context: typer.Context,
    name: Annotated[str, NAME],
    about: Annotated[str | None, ABOUT] = None,
    data: Annotated[list[str] | None, DATA] = None,
    once: Annotated[str, ONCE] = "",
    json: Json = False,
) -> None:
    """Throw a signal: it reaches all that wait for it, and starts what starts by it.

    Examples:

      procession signal "office closes"
      procession signal "price list changed" --data year=2027
    """
    _tell(session(context), "signal", name, about, data or (), once, json=json)


def _tell(
    now: Session, type_: Literal["message", "signal"], name: str, about: str | None, data: Sequence[str], once: str, *, json: bool
) -> None:  # fmt: skip
    from procession.witness import refuse_if_held

    ports = now.application.ports()
    refuse_if_held(ports)
    ref = now.ref(about) if about else None
    given = {word: _value(text) for word, text in pairs(data, "--data").items()}
    event = Event(
        0,
        ports.clock.now(),
        type_,
        ref,
        payload=_checked(name, given),
        dedupe_key=f"{type_}:{name.strip()}:{once}" if once else "",
        name=name.strip(),
    )
    with ports.store.unit() as unit:
        if ref and ref not in unit.records.fetch([ref], frozenset()):
            raise InputError(
                f"there is no {ref.entity} {ref.id}", hint=f"See: procession crm list {ref.entity}"
            )
        (number,) = unit.journal.append([event])
        is_awaited = bool(unit.journal.awaited([f"{type_} {event.name}"]))
        current = unit.journal.current()
        unit.commit()
    plans = [now.application.definitions.version(process, digest) for process, digest in current.items()]
    starts = [plan.process for plan in plans if plan and _starts_by(plan, event)]
    if json:
        output.emit(
            {"event": number, "is_new": number is not None, "is_awaited": is_awaited, "may_start": starts}
        )
        return
    if number is None:
        output.say(f"It was told before with the key {once!r}; it is not told again.")
        return
    output.say(f"The {type_} “{event.name}” is event {number}; `procession serve` sees to it.")
    if not is_awaited and not starts:
        output.note("Nothing waits for it just now, and no process starts by it.")


def _checked(name: str, data: dict[str, Any]) -> Any:
    from procession.messages import checked_data

    try:
        return checked_data(name, data)
    except PermanentError as error:
        raise InputError(error.message, hint=error.hint) from None


def _starts_by(plan: "Plan", event: Event) -> bool:
    return any(event.type in trigger.events and trigger.name == event.name for trigger in plan.triggers)


def _value(text: str) -> Any:
    """Numbers, `true` and `false` as such; a text that looks like one in quotes: `'"17"'`."""
    try:
        value = json_.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str | int | float | bool) else text
