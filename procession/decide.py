"""What a step decides: its `if`, its fields, and what it may look at. Touches nothing outside."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from procession import run as r
from procession.errors import TimedOut
from procession.expressions import evaluate, fill
from procession.names import fields_of, trigger_ref
from procession.ports import Ports, Wait
from procession.position import Turn
from procession.run import Run
from procession.steps.kind import Context, Outcome
from procession.steps.storing import moment


def decide(run: Run, turn: Turn, ports: Ports) -> Outcome | None:
    """None if the step's `if` keeps it from being taken.

    Raises:
        PermanentError: an expression, a template or the step itself failed on these values.
    """
    step, names = turn.step, r.names_at(run, turn)
    if ports.trace:
        ports.trace(step.path, names)
    if step.guard is not None and not evaluate(step.guard, names):
        return None
    fields, reads = fields_of(step, run.plan, names, ports.store.schema)
    context = _context(run, turn, names, ports)
    outcome = step.kind.decide(fields, context)
    if outcome.pause is None:
        return outcome
    pause = replace(outcome.pause, reads=outcome.pause.reads | reads, expires=_expires(run, turn, context))
    return replace(outcome, pause=pause)


def _unseen(run: Run, waited: Wait | None) -> datetime | None:
    """Since when something may have happened that did not come yet for one that waits for events."""
    if waited is None or waited.kind != "event":
        return None
    return waited.since if waited.is_new else run.unseen


def _expires(run: Run, turn: Turn, context: Context) -> datetime | None:
    """Until when it waits at most: said when it begins to.

    Raises:
        TimedOut: so long it has waited in vain.
    """
    if turn.step.timeout is None:
        return None
    waited = run.waited(turn) if turn.has_waited else None
    expires = waited.expires if waited else moment(fill(turn.step.timeout, context.names), "timeout", context)
    if expires and context.is_over(expires):
        raise TimedOut(f"what {turn.step.title!r} waited for did not come in time")
    return expires


def _context(run: Run, turn: Turn, names: Mapping[str, Any], ports: Ports) -> Context:
    plan, waited = run.plan, run.waited(turn)
    return Context(
        names=names, now=ports.clock.now(), process=plan.process, title=plan.title,
        message_id=message_id(ports.store.identity.incarnation, run.instance.id, turn, ports.mail_domain),
        mail_domain=ports.mail_domain, default_sender=ports.default_sender, history_on=run.history_on,
        renderer=ports.renderer(plan.digest, plan.files), schema=ports.store.schema, functions=ports.functions,
        at=turn.step.at, trigger_ref=trigger_ref(run.instance),
        has_waited=turn.has_waited, waited_until=waited.due if waited else None,
        is_hastened=waited is not None and waited.hastened, arrived=run.arrived.get(turn.scope, ()) if waited else (), unseen=_unseen(run, waited),
    )  # fmt: skip


def message_id(incarnation: str, instance: int, turn: Turn, domain: str) -> str:
    """The Message-ID of a mail that is made now (RFC 5322, 3.6.4: globally unique). Once stored it is not made again."""
    digest = hashlib.sha256(f"{incarnation}\n{instance}\n{turn.step.path}\n{turn.round}".encode()).hexdigest()
    return f"<{digest[:32]}@{domain}>"
