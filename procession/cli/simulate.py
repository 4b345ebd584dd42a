"""`simulate`: a process on real records, as it would go, without any effect.

The real engine runs in a unit that is never committed (`procession.cli.rehearsal`). What it did is read from
its journal, its outbox and its History; for every way not taken the condition is told with the values it saw.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from procession.cli import email, history, instances, mails, output
from procession.cli.content import Json
from procession.cli.fields import pairs
from procession.cli.rehearsal import ClockAhead, NobodyPosts, Rehearsal, rehearse
from procession.cli.running import GIVEN, read_inputs
from procession.cli.session import Session, session
from procession.errors import InputError
from procession.ports import Envelope, HistoryRow, Instance, Journal, Ports, StepRun, Wait
from procession.values import from_json

if TYPE_CHECKING:
    from procession.expressions import Expression
    from procession.plan import Plan, Step

MOST_ROUNDS = 200
"""Waits of one simulated instance; the clock goes ahead to the end of each."""


Seen = dict[str, list[Mapping[str, Any]]]
"""What each step saw whenever it decided, by its path."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A step or branch that was not taken, its condition, and the values that decided it."""

    path: str
    because: str
    saw: str


@dataclass(frozen=True, slots=True)
class Simulated:
    """What would have happened."""

    instance: Instance
    steps: list[StepRun]
    mails: list[Envelope]
    history: list[HistoryRow]
    not_taken: list[NotTaken]
    waits: Sequence[Wait] = ()


def add(app: typer.Typer) -> None:
    app.command(rich_help_panel="Writing processes")(simulate)


def simulate(
    context: typer.Context,
    process: Annotated[str, typer.Argument(metavar="PROCESS", help="The id of a process")],
    given: Annotated[list[str] | None, GIVEN] = None,
    json: Json = False,
) -> None:
    """Run a process on real records without any effect: nothing is sent, nothing is saved.

    Shows each step, the mails as they would be, the lines of History, and why each branch was not taken. What it waits for
    until a moment comes at once, on a clock that goes ahead; other events do not come: after its timeout it goes on without.

    Examples:

      procession simulate notify_contact_of_meeting --input meeting=activity:17
      procession simulate notify_contact_of_meeting --input meeting=activity:17 --json
    """
    now = session(context)
    now.application.warm_up()
    plan = now.plan(process)
    inputs = read_inputs(now, plan, pairs(given or (), "--input"))
    with rehearse(now.application.store) as store:
        ports = now.application.ports(store=store, mail_out=NobodyPosts())
        seen: Seen = defaultdict(list)
        clock = ClockAhead(ports.clock.now())
        tracing = replace(ports, trace=lambda path, names: seen[path].append(names), clock=clock)
        done = _simulated(now, plan, inputs, store, tracing, seen, clock)
    if json:
        output.emit(_document(done))
    else:
        _show(done)
    if done.instance.state in ("failed", "incident"):
        raise typer.Exit(1)


def _simulated(
    now: Session, plan: "Plan", inputs: Mapping[str, Any], store: Rehearsal, ports: Ports, seen: "Seen",
    clock: ClockAhead,
) -> Simulated:  # fmt: skip
    from procession.advance import advance
    from procession.dispatch import start_by_hand
    from procession.run import open_steps

    engine = ports.engine.id
    started = start_by_hand(ports, plan, inputs, actor=now.actor)
    if started is None:
        raise InputError(
            f"process {plan.process!r} runs for this already, and it runs once at a time",
            hint="See: procession status",
        )
    journal, number = store.inner.journal, started.id
    for _ in range(MOST_ROUNDS):
        _go_ahead(journal, number, clock)
        if not (mine := journal.claim(engine, clock.now(), 1, [number])):
            break
        advance(plan, mine, ports)
    (instance,) = journal.instances(ids=[number])
    stored, waits = journal.positions([number]).get(number), journal.waits([number]).get(number, ())
    steps = [*journal.steps([number]).get(number, []), *open_steps(plan, instance, stored, waits)]
    outbox = store.inner.outbox
    made = outbox.in_state(["draft", "held", "queued", "sending", "sent", "failed", "unknown"], 10_000)
    return Simulated(
        instance, _in_order(plan, steps), outbox.envelopes([mail.id for mail in made if mail.instance == number]), store.rows,
        list(_not_taken(plan, steps, seen)), waits,
    )  # fmt: skip


def _go_ahead(journal: Journal, instance: int, clock: ClockAhead) -> None:
    """To the end of what it waits for next. What others wait for stays as it is, due or not."""
    waits = [wait for wait in journal.waits([instance]).get(instance, ()) if wait.due and not wait.woken_at]
    if not waits:
        return
    clock.forward(min(wait.due for wait in waits if wait.due))
    for wait in waits:
        if wait.due and wait.due <= clock.now():
            journal.wake(instance, wait.path, wait.round, clock.now())


def _in_order(plan: "Plan", steps: list[StepRun]) -> list[StepRun]:
    from procession.plan import every_step

    order = {step.path: number for number, step in enumerate(every_step(plan))}
    return sorted(steps, key=lambda row: (row.at, row.round, order.get(row.path, 0)))


def _not_taken(plan: "Plan", rows: list[StepRun], seen: "Seen") -> Iterator[NotTaken]:
    """The reason for every step and branch that was reached and not taken."""
    from procession.plan import every_step

    by_path: dict[str, list[StepRun]] = {}
    for row in rows:
        by_path.setdefault(row.path, []).append(row)
    for step in every_step(plan):
        reached = by_path.get(step.path, [])
        if len(seen[step.path]) > 1 or any(row.round for row in reached):
            yield from _in_rounds(step, reached, seen[step.path])
        elif not reached:
            continue
        elif reached[0].state == "skipped" and step.guard:
            yield _because(step.path, "if", step.guard, seen[step.path][-1])
        elif reached[0].state == "done":
            yield from _branches(step, reached[0], seen[step.path][-1])


def _in_rounds(step: "Step", rows: list[StepRun], seen: Sequence[Mapping[str, Any]]) -> Iterator[NotTaken]:
    """In a loop: how often a step or branch was passed by; its values were others in each round."""
    from procession.expressions import Expression, evaluate

    if step.guard and (skipped := [names for names in seen if not evaluate(step.guard, names)]):
        source = " ".join(step.guard.source.split())
        yield NotTaken(step.path, f"if: {source} ({len(skipped)} of {len(seen)} times)", "")
    decided = [row for row in rows if row.branch]
    for slot in step.slots:
        passed = [row for row in decided if slot not in row.branch.split()]
        if passed:
            condition = _condition(step, slot)
            why = "another branch was taken"
            if isinstance(condition, Expression):
                why = f"{'when' if '/' in slot else 'if'}: {' '.join(condition.source.split())}"
            yield NotTaken(f"{step.path}/{slot}", f"{why} ({len(passed)} of {len(rows)} times)", "")


def _branches(step: "Step", row: StepRun, names: Mapping[str, Any]) -> Iterator[NotTaken]:
    """The branches of an `if` or a `choose` that were passed by."""
    from procession.expressions import Expression

    taken = row.branch.split()
    for slot in step.slots:
        if slot in taken or not taken:
            continue
        condition = _condition(step, slot)
        if isinstance(condition, Expression):
            yield _because(f"{step.path}/{slot}", "when" if "/" in slot else "if", condition, names)
        elif slot == "else":
            yield NotTaken(f"{step.path}/else", f"“{taken[0]}” was taken", "")


def _condition(step: "Step", slot: str) -> Any:
    """The condition of a branch; None for `else`."""
    from procession.expressions import Deferred

    found = _kept_condition(step, slot)
    return found.expression if isinstance(found, Deferred) else found


def _kept_condition(step: "Step", slot: str) -> Any:
    if slot == "then":
        return step.fields.get("if")
    branches = step.fields.get("branches")
    number = slot.rpartition("/")[2]
    if (
        isinstance(branches, tuple)
        and number.isdigit()
        and isinstance(branch := branches[int(number) - 1], Mapping)
    ):
        return branch.get("when")
    return None


def _because(path: str, word: str, condition: "Expression", names: Mapping[str, Any]) -> NotTaken:
    from procession.errors import ExpressionError
    from procession.expressions import evaluate
    from procession.expressions.seen import seen

    source = " ".join(condition.source.split())
    try:
        holds = bool(evaluate(condition, names))
    except ExpressionError as error:
        return NotTaken(path, error.message, "")
    why = f"{word}: {source}"
    return NotTaken(
        path,
        f"an earlier branch was taken ({why} holds too)" if holds else why,
        seen(condition.source, names),
    )


def _show(done: Simulated) -> None:
    output.say(done.instance.title, "bold")
    output.table(("step", "state", "when", "output"), [_line(row) for row in done.steps])
    for reason in done.not_taken:
        output.say(Text.assemble(("  not taken: ", "yellow"), (reason.path, "bold"), f": {reason.because}"))
        if reason.saw:
            output.say(f"    it saw {reason.saw}", "dim")
    for mail in done.mails:
        output.section("mail, as a draft" if mail.state == "draft" else "mail, if it were sent")
        email.show_written(mails.written(mail.mime))
    if done.history:
        output.section("History")
        for row in done.history:
            output.say(f"  {row.on}: {row.text}")
    result = f", {done.instance.result}" if done.instance.result else ""
    output.say(f"\nIt would end {done.instance.state}{result}.", output.STATES.get(done.instance.state, ""))
    for wait in done.waits:
        output.say(f"  {instances.said_of(wait)}")
    if done.instance.error:
        instances.tell_error(done.instance.error)
    output.note("Nothing was sent or saved.")


def _line(row: StepRun) -> tuple[str, Text, str, str]:
    kept = from_json(row.output)
    said = f"→ {row.branch}" if row.branch else instances.brief(kept.get("out", {}))
    state = output.state(row.state)
    return (
        instances.path_of(row),
        state,
        output.short_time(row.at),
        str((row.error or {}).get("message", said)),
    )


def _document(done: Simulated) -> dict[str, Any]:
    read_back = [mails.written(mail.mime) for mail in done.mails]
    return {
        **instances.document(done.instance),
        "steps": [instances.step_document(row) for row in done.steps],
        "emails": [
            {"to": list(mail.recipients), "subject": text.subject, "text": text.text, "html": text.html,
             "message_id": mail.message_id, "draft": mail.state == "draft"}
            for mail, text in zip(done.mails, read_back, strict=True)
        ],
        "history": [history.document(row) for row in done.history],
        "not_taken": [{"path": n.path, "because": n.because, "saw": n.saw} for n in done.not_taken],
    }  # fmt: skip
