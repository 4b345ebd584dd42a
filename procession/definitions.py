"""The processes that an engine runs: the current version of each, and those that instances began with.

Which version is current is said in the database (`procession.publications`), whatever files an engine has beside it.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from typing_extensions import override

from procession.errors import FINAL, ProcessErrors, foreseen
from procession.plan import Plan, Trigger
from procession.ports import Definition, Publication, Store
from procession.spelling import count

log = logging.getLogger(__name__)


class Definitions:
    """Plans that do not change: for programs and tests that bring their own."""

    publication = 0
    """The number of the last change that is known here."""

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self.plans = plans
        """The current versions, `{process: plan}`; another mapping once they changed."""
        self.unusable: Mapping[str, str] = {}
        """`{process: why}` of those whose current version cannot be run here. An engine that has one does not plan."""
        self.unrunnable: frozenset[str] = frozenset()
        """Digests of versions of which instances were claimed and that cannot be run here: another engine may."""

    def refresh(self, publication: int | None = None) -> None:
        """Read what is current since that change; None: since whatever change was the last."""
        self.publication = publication or 0
        self.unrunnable = frozenset()

    def version(self, process: str, digest: str) -> Plan | None:
        """A version, current or not; None if it cannot be run here."""
        plan = self.plans.get(process)
        return plan if plan and plan.digest == digest else None

    def scheduled_since(self, _process: str, _trigger: Trigger, horizon: datetime) -> datetime:
        """From when on the schedule trigger of a current version counts, as far back as `horizon`: it fires for no moment
        before. Nobody published these plans, so they always did."""
        return horizon


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
        self._is_read = False
        self._log: Mapping[str, Sequence[Publication]] = {}
        """The log of publications, by process."""
        self._versions: dict[tuple[str, str], Plan | str] = {}
        """A version, or why it cannot be run here."""

    def know(self, plans: Iterable[Plan]) -> None:
        """Plans that are at hand: they are not compiled again, and name the files that people have."""
        self._versions |= {(plan.process, plan.digest): plan for plan in plans}

    @override
    def refresh(self, publication: int | None = None) -> None:
        with self._store.unit(write=False) as unit:
            self._log = _by_process(unit.journal.publications())
        current = {process: lines[-1].digest for process, lines in self._log.items() if lines[-1].digest}
        found = {process: self._version(process, digest) for process, digest in current.items()}
        plans = {process: plan for process, plan in found.items() if isinstance(plan, Plan)}
        if plans != self.plans:
            if self._is_read:
                _tell(self.plans, plans)
            self.plans = plans
        self._is_read = True
        self.unusable = {process: why for process, why in sorted(found.items()) if isinstance(why, str)}
        if self.unusable:
            log.error("this engine does not plan, since it cannot run %s", ", ".join(self.unusable))
        self.publication = -1 if publication is None else publication
        self.unrunnable = frozenset()

    @override
    def version(self, process: str, digest: str) -> Plan | None:
        found = self._version(process, digest)
        return found if isinstance(found, Plan) else None

    @override
    def scheduled_since(self, process: str, trigger: Trigger, horizon: datetime) -> datetime:
        """From the publication that brought this schedule, through all later ones that left it as it is."""
        since = horizon
        for line in reversed(self._log.get(process, ())):
            if not self._has(line, trigger):
                break
            since = line.at
            if since <= horizon:
                break
        return max(since, horizon)

    def _has(self, line: Publication, trigger: Trigger) -> bool:
        """Whether this schedule is one of that version's; not if it cannot be read here, or if the process was retired."""
        plan = self.version(line.process, line.digest) if line.digest else None
        return plan is not None and any(
            (one.id, one.schedule) == (trigger.id, trigger.schedule) for one in plan.triggers
        )

    def _version(self, process: str, digest: str) -> Plan | str:
        key = (process, digest)
        if key not in self._versions:
            with self._store.unit(write=False) as unit:
                definition = unit.journal.definition(process, digest)
            if definition is None:
                return f"there is no version {digest[:12]} of it"
            self._versions[key] = self._plan(definition)
        return self._versions[key]

    def _plan(self, definition: Definition) -> Plan | str:
        try:
            with foreseen("the reading of its files"):
                return self._compiled(definition.files)
        except ProcessErrors as error:
            why = _first(error)
        except FINAL as error:
            why = error.message
        log.error("version %d of %s cannot be run here: %s", definition.number, definition.process, why)
        return f"version {definition.number}: {why}"


def _by_process(log: Sequence[Publication]) -> Mapping[str, Sequence[Publication]]:
    found: dict[str, list[Publication]] = defaultdict(list)
    for line in log:
        found[line.process].append(line)
    return found


def _tell(before: Mapping[str, Plan], now: Mapping[str, Plan]) -> None:
    """Whoever changed something sees whether the engine goes by it."""
    new = [name if name not in before else f"another version of {name}"
           for name, plan in sorted(now.items()) if name not in before or before[name].digest != plan.digest]  # fmt: skip
    if new:
        log.info("current from now on: %s", ", ".join(new))
    if gone := sorted(before.keys() - now.keys()):
        log.info("retired: %s", ", ".join(gone))


def _first(error: ProcessErrors) -> str:
    """The first problem, without the line that it is in."""
    more = len(error.problems) - 1
    return str(error.problems[0]).splitlines()[0] + (f" And {count(more, 'problem')} more." if more else "")
