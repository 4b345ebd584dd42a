"""Which version of each process is the current one: a log in the database, and how a folder of files writes to it.

A folder publishes changes, not states. A version that was never current becomes it; one that was current before is
left alone unless somebody asks for it, since it is most likely the file of an engine that starts again behind the
others. A file that is gone retires nothing by itself: editors delete and create when they save.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from procession.compile import Folder
from procession.errors import ProcessError
from procession.ports import Definition, Publication, Store, Unit
from procession.spelling import count


@dataclass(frozen=True, slots=True)
class Change:
    """What is different between a file and the current version of its process.

        new      never current before: published
        back     current once, and another version since: published if that was asked for
        older    the same, where it was not asked for: left alone
        broken   the file cannot be used
        gone     this folder published the process once, and has no file of it any more
        retired  the same, where its retirement was asked for

    `number` is that of the file's version (0: it has none), `current` that of the version that is current now (0:
    there is none)."""

    process: str
    what: Literal["new", "back", "older", "broken", "gone", "retired"]
    number: int = 0
    current: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """What the files of a folder change, in the order of the processes, and the problems of those that are broken.
    `done` is False if it was only looked at."""

    changes: tuple[Change, ...] = ()
    problems: Mapping[str, tuple[ProcessError, ...]] = field(default_factory=dict)
    done: bool = True

    def of(self, process: str) -> Change | None:
        return next((change for change in self.changes if change.process == process), None)

    def sentences(self) -> list[str]:
        """One for each change, for people."""
        return [self.sentence(change) for change in self.changes]

    def sentence(self, change: Change) -> str:
        return _sentence(change, len(self.problems.get(change.process, ())), done=self.done)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a folder publishes besides its new versions: `back`, older ones too; `prune`, the retirement of processes
    whose file is gone. With `dry_run` it is only looked at."""

    back: bool = False
    prune: bool = False
    dry_run: bool = False


def publish(store: Store, folder: Folder, name: str, at: datetime, asked: Asked = Asked()) -> Published:
    """Make the versions of a folder current, where they are new.

    Args:
        name: of the folder, among all that publish to this store.
    """
    with store.unit(write=not asked.dry_run) as unit:
        found = _Log(unit.journal.publications(alone=not asked.dry_run))
        changes = [*_changed(unit, folder, found, asked), *_gone(folder, name, found, asked)]
        if not asked.dry_run:
            for change in changes:
                if change.what in ("new", "back", "retired"):
                    plan = folder.plans.get(change.process)
                    unit.journal.make_current(change.process, plan.digest if plan else "", name, at)
            unit.commit()
    ordered = tuple(sorted(changes, key=lambda change: change.process))
    return Published(ordered, folder.problems, done=not asked.dry_run)


def retire(store: Store, process: str, name: str, at: datetime) -> bool:
    """Have no version of this process current; False if none is."""
    with store.unit() as unit:
        unit.journal.publications(alone=True)
        if process not in unit.journal.current():
            return False
        unit.journal.make_current(process, "", name, at)
        unit.commit()
    return True


class _Log:
    """The log of publications, by process."""

    def __init__(self, publications: Sequence[Publication]) -> None:
        self.last = {one.process: one for one in publications}
        self.ever = {(one.process, one.digest) for one in publications if one.digest}
        self.folders = {(one.process, one.folder) for one in publications if one.digest}

    def current(self, process: str) -> int:
        """The number of the current version, 0 if there is none."""
        last = self.last.get(process)
        return last.number if last else 0

    def is_current(self, process: str, digest: str) -> bool:
        last = self.last.get(process)
        return last is not None and last.digest == digest


def _changed(unit: Unit, folder: Folder, log: _Log, asked: Asked) -> Iterable[Change]:
    journal = unit.journal
    for process in folder.problems:
        yield Change(process, "broken", current=log.current(process))
    for process, plan in folder.plans.items():
        if process in folder.problems or log.is_current(process, plan.digest):
            continue
        if (process, plan.digest) in log.ever:
            known = journal.definition(process, plan.digest)
            yield Change(
                process, "back" if asked.back else "older", known.number if known else 0, log.current(process)
            )
        elif asked.dry_run:
            yield Change(process, "new", current=log.current(process))
        else:
            number = journal.publish(Definition(process, plan.digest, files=plan.files))
            yield Change(process, "new", number, number)


def _gone(folder: Folder, name: str, log: _Log, asked: Asked) -> Iterable[Change]:
    there = {*folder.plans, *folder.problems}
    for process in log.last:
        if process not in there and log.current(process) and (process, name) in log.folders:
            yield Change(process, "retired" if asked.prune else "gone", current=log.current(process))


def _sentence(change: Change, problems: int, *, done: bool) -> str:
    process, current = change.process, change.current
    stays = f"version {current} goes on" if current else "no version of it is current"
    match change.what:
        case "new" | "back" if done:
            return f"{process}: version {change.number} is current"
        case "new":
            return f"{process}: its file is not published yet, {stays}"
        case "back":
            return f"{process}: its file is version {change.number}, {stays} until it is published"
        case "older":
            return f"{process}: its file is version {change.number}, which was current before; {stays}"
        case "broken":
            return f"{process}: its file cannot be used ({count(problems, 'problem')}), {stays}"
        case "gone":
            return f"{process}: its file is gone, {stays}"
        case "retired" if done:
            return f"{process}: it is retired, since its file is gone"
    return f"{process}: its file is gone, {stays} until it is retired"
