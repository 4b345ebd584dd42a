"""What one unit writes of instances: evidence, where they are and what they wait for, or how they ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from procession import position as p
from procession.errors import PermanentError
from procession.ports import LIVE, Checkpoint, End, StepRun, Wait
from procession.run import Run
from procession.values import to_json

LARGE = 1_000
"""Characters of JSON from which a value has a row of its own, so that it is not rewritten with each step."""
LARGEST_POSITION = 64_000


@dataclass(frozen=True, slots=True)
class Written:
    """What one unit writes of some runs; afterwards `runs` have nothing that is not written. `left` are steps, each (instance,
    path, round), that waited and have no more use for a mail of theirs."""

    evidence: tuple[StepRun, ...]
    checkpoints: tuple[Checkpoint, ...]
    waits: tuple[Wait, ...]
    dropped: tuple[tuple[int, int], ...]
    consumed: tuple[tuple[int, int], ...]
    left: tuple[tuple[int, str, str], ...]
    ends: tuple[End, ...]
    forgotten: tuple[int, ...]
    runs: tuple[Run, ...]


def written(runs: Sequence[Run]) -> Written:
    """Raises:
    PermanentError: too much of an instance is open at the same time, so that every step would rewrite it.
    """
    evidence = tuple(row for run in runs for row in run.evidence)
    over = [run for run in runs if _is_over(run)]
    moved = {
        run.instance.id: _checkpoint(run) for run in runs if not _is_over(run) and not _is_beginning(run)
    }
    checkpoints = tuple(one for run in runs if (one := moved.get(run.instance.id)) and _is_news(run, one))
    news = {one.instance: one for one in checkpoints}
    waits = {run.instance.id: _still_waits(run) for run in runs}
    after = tuple(
        replace(
            run, evidence=(), left=(), consumed=(), stored=_stored(run, news.get(run.instance.id)), is_written=run.end is not None,
            waits=waits[run.instance.id], kept_waits=waits[run.instance.id],
        )
        for run in runs
    )  # fmt: skip
    return Written(
        evidence, checkpoints,
        waits=tuple(
            wait for run in runs for wait in waits[run.instance.id].values() if run.kept_waits.get(wait.scope) != wait
        ),
        dropped=tuple(
            (run.instance.id, scope) for run in runs for scope in run.kept_waits if scope not in waits[run.instance.id]
        ),
        consumed=tuple((run.instance.id, event) for run in runs for event in run.consumed),
        left=tuple((run.instance.id, *step) for run in runs for step in dict.fromkeys((*run.left, *_left(run)))),
        ends=tuple(run.end for run in runs if run.end),
        forgotten=tuple(run.instance.id for run in over if run.stored or run.kept_waits),
        runs=after,
    )  # fmt: skip


def _still_waits(run: Run) -> dict[int, Wait]:
    """Those of tokens that still stand at their step: one that was woken is kept until that is left, so that it is not forgotten
    what becomes of its mail, and that a person hastened it."""
    if _is_over(run):
        return {}
    tokens = run.position.tokens
    return {scope: wait for scope, wait in run.waits.items() if scope in tokens and _is_at(run, scope, wait)}


def _left(run: Run) -> list[tuple[str, str]]:
    """Steps that waited, and at which it does not stand any more."""
    return [
        (wait.path, wait.round)
        for scope, wait in run.kept_waits.items()
        if wait.kind not in ("timer", "event") and not _is_at(run, scope, wait)
    ]


def _is_at(run: Run, scope: int, wait: Wait) -> bool:
    """Whether it still stands at the step at which it waited. (A wait of scope 0, from before they were kept, knows none.)"""
    token = run.position.tokens.get(scope)
    if token is None or _is_over(run):
        return not wait.scope and not _is_over(run)
    return (token.path, run.position.scopes[scope].round) == (wait.path, wait.round)


def _is_over(run: Run) -> bool:
    return run.position.over is not None or (run.end is not None and run.end.state not in LIVE)


def _checkpoint(run: Run) -> Checkpoint:
    small, large = {}, {}
    before = run.stored.kept if run.stored else {}
    for name, kept in run.kept.items():
        if name in before or _is_large(kept.json):
            large[name] = kept.json
        else:
            small[name] = kept.json
    dropped = dict.fromkeys(name for name in before if name not in run.kept)
    where = p.to_json(run.position)
    if small:
        where["kept"] = small
    if run.deleted:
        where["deleted"] = [to_json(record) for record in run.deleted.values()]
    if (size := len(str(where))) > LARGEST_POSITION:
        raise PermanentError(
            f"too much is open in this instance at the same time: its position takes {size:,} characters",
            hint="Let it open less at once, or let `set` keep less.",
        )
    changed = {name: json for name, json in large.items() if name not in before or before[name] != json}
    return Checkpoint(run.instance.id, where, {**changed, **dropped})


def _is_beginning(run: Run) -> bool:
    """A beginning is not written: whoever has no position is there."""
    return run.stored is None and not run.kept and run.position == p.begin(run.plan)


def _is_news(run: Run, checkpoint: Checkpoint) -> bool:
    before = run.stored
    return before is None or bool(checkpoint.kept) or checkpoint.position != before.position


def _stored(run: Run, checkpoint: Checkpoint | None) -> Checkpoint | None:
    if checkpoint is None:
        return run.stored
    kept = {**(run.stored.kept if run.stored else {}), **checkpoint.kept}
    kept = {name: json for name, json in kept.items() if json is not None}
    return Checkpoint(checkpoint.instance, checkpoint.position, kept)


def _is_large(json: Any) -> bool:
    return len(str(json)) > LARGE
