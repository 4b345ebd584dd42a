"""The processes that an engine runs: the current version of each, and those that instances began with.

Which version of a process is current is said in the database, by a log of publications. A folder of files publishes
changes, not states: a file is published only if it is not what this folder published last. So an engine with older
files that starts again changes nothing; and a version that was current before comes back only if somebody says so.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from typing_extensions import override

from procession.errors import FINAL, ProcessErrors, foreseen
from procession.plan import Plan
from procession.ports import Definition, Store

log = logging.getLogger(__name__)


class Definitions:
    """Plans that do not change: for programs and tests that bring their own."""

    publication = 0
    """The number of the last change that is known here."""
    complete = True
    """Whether every current version can be run here; an engine for which it is not so does not plan."""

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self.plans = plans

    def refresh(self, publication: int) -> None:
        """Read what is current since that change."""
        self.publication = publication

    def version(self, process: str, digest: str) -> Plan | None:
        """The version that an instance began with; None if it cannot be run here."""
        plan = self.plans.get(process)
        return plan if plan and plan.digest == digest else None


class StoredDefinitions(Definitions):
    """Those of a store; each version is compiled once.

    Args:
        compiled: the plan of a version's files.

    Raises:
        ProcessErrors: by `compiled`, where files cannot be used by this program.
    """

    def __init__(self, store: Store, compiled: Callable[[Mapping[str, str]], Plan]) -> None:
        super().__init__({})
        self._store, self._compiled = store, compiled
        self.publication = -1
        self._versions: dict[tuple[str, str], Plan | None] = {}
        self.unusable: Collection[str] = ()
        """Processes whose current version cannot be run here."""

    @override
    def refresh(self, publication: int) -> None:
        with self._store.unit(write=False) as unit:
            current = unit.journal.current()
        found = {process: self.version(process, digest) for process, digest in current.items()}
        self.plans = {process: plan for process, plan in found.items() if plan}
        self.unusable = sorted(process for process, plan in found.items() if plan is None)
        if self.unusable:
            log.error("this engine cannot run %s, so it does not plan", ", ".join(self.unusable))
        self.complete = not self.unusable
        self.publication = publication

    @override
    def version(self, process: str, digest: str) -> Plan | None:
        key = (process, digest)
        if key not in self._versions:
            with self._store.unit(write=False) as unit:
                definition = unit.journal.definition(process, digest)
            self._versions[key] = self._plan(definition) if definition else None
        return self._versions[key]

    def _plan(self, definition: Definition) -> Plan | None:
        try:
            with foreseen(f"the reading of a version of {definition.process!r}"):
                return self._compiled(definition.files)
        except (*FINAL, ProcessErrors) as error:
            log.error("version %s of %s: %s", definition.digest[:12], definition.process, error)  # noqa: TRY400  # a sentence
            return None


@dataclass(frozen=True, slots=True)
class Published:
    """What a folder's files changed. `older` are processes whose file is a version that was current before: they are
    left as they are, unless the older version was asked for."""

    current: tuple[str, ...] = ()
    older: tuple[str, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)


def publish(
    store: Store, plans: Collection[Plan], folder: str, at: datetime, *, back: bool = False
) -> Published:  # fmt: skip
    """Make the versions of a folder current where its files changed.

    Args:
        folder: names the folder among all that publish to this store.
        back: older versions, too.
    """
    with store.unit() as unit:
        journal = unit.journal
        numbers = {p.process: journal.publish(Definition(p.process, p.digest, files=p.files)) for p in plans}
        digests = {plan.process: plan.digest for plan in plans}
        changed = changes(digests, journal.published_by(folder))
        current, before = journal.current(), journal.was_current()
        older = (
            ()
            if back
            else tuple(p for p in changed if digests[p] in before.get(p, ()) and digests[p] != current.get(p))
        )
        new = tuple(process for process in changed if process not in older)
        for process in new:
            journal.make_current(process, digests[process], folder, at)
        unit.commit()
    return Published(tuple(p for p in new if digests[p] != current.get(p)), older, numbers)


def changes(files: Mapping[str, str], published: Mapping[str, str]) -> tuple[str, ...]:
    """The processes whose file is not what its folder published last; both are `{process: digest}`."""
    return tuple(sorted(process for process, digest in files.items() if published.get(process) != digest))
