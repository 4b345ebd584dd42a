"""The journal: events, definitions, engines, instances, where these are and what they wait for."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from procession.ports.bulk import Import
from procession.ports.bursts import Burst, BurstKey
from procession.ports.entries import (
    Checkpoint,
    Definition,
    End,
    EngineProcess,
    EngineRow,
    Event,
    Glance,
    Identity,
    Instance,
    InstanceState,
    Publication,
    Released,
    SentMail,
    Standing,
    Start,
    StepRun,
)
from procession.ports.waits import Correlation, Wait
from procession.records import Ref


class Journal(Protocol):
    """See the module; a part of `procession.ports.Unit`."""

    def append(self, events: Sequence[Event]) -> list[int | None]:
        """Add events that are no saves: schedules, starts by hand, messages, signals (the `id` they come with is ignored); their new ids, None for
        one whose `dedupe_key` was there before. Order kept."""
        ...

    def glance(self, now: datetime) -> Glance:
        """What there is to do; the cheapest question, one statement."""
        ...

    def pending(self, limit: int, *, up_to: int | None = None) -> list[Event]:
        """At most so many undispatched events, in the order of their numbers, locked for this unit where the database can:
        the oldest of those that are not bulk, then at most `MOST_BULK` of the others. None without all older ones of its record,
        also those that wait for an import; what is older than one that is not bulk is not bulk, either.

        Args:
            up_to: those up to this number, with no regard to what is bulk.
        """
        ...

    def take_up(self, limit: int) -> list[Event]:
        """As `pending`, for the planner: in which of its units it took each up first is kept with it."""
        ...

    def bursts(self, keys: Collection[BurstKey]) -> dict[BurstKey, Burst]:
        """Those of them that go on."""
        ...

    def save_bursts(self, bursts: Sequence[Burst]) -> None:
        """Each in the place of what was known of it; only by the planner, in its unit."""
        ...

    def due_bursts(self, now: datetime, limit: int) -> list[Burst]:
        """At most so many of those that nothing followed, the first to fall due first."""
        ...

    def drop_bursts(self, keys: Collection[BurstKey]) -> None: ...
    def hurry(self, refs: Collection[Ref]) -> None:
        """Ready instances that events of these records started are bulk no more: somebody saved one of them just now, and what
        follows from that must not overtake them."""
        ...

    def imports(self) -> list[Import]:
        """Those that were begun and are not released, oldest first."""
        ...

    def import_slice(self, slice_: Import, *, last: bool = False) -> Import:
        """This unit writes a slice of an import, new if it has no number, which is further by that: as far as said here. Events
        that it writes from now on are bulk, and wait until it is released: by the unit that writes the `last` slice.

        Raises:
            StoreError: somebody else wrote a slice of it since `slice_.before`.
        """
        ...

    def let_in(self, limit: int) -> int:
        """At most so many events of a released import wait no more; returns how many that were."""
        ...

    def dispatched(self, events: Collection[int], at: datetime) -> None:
        """By the planner, in its unit (`leads`), which gives them its number; or by whoever starts something by hand."""
        ...

    def units(self) -> int:
        """How many units planners have begun. What is not seen yet of a record that was changed will be dispatched in one
        with a higher number than is seen now."""
        ...

    def publish(self, definition: Definition) -> int:
        """Store a version if its digest is new for its process; returns its number."""
        ...

    def definition(self, process: str, digest: str) -> Definition | None: ...

    def current(self) -> dict[str, str]:
        """`{process: digest}` of the current versions; without those that are retired."""
        ...

    def publications(self, *, alone: bool = False) -> list[Publication]:
        """The whole log, oldest first; `alone`: nobody else appends to it until this unit ends."""
        ...

    def make_current(self, process: str, digest: str, folder: str, at: datetime) -> None:
        """Append to the log of publications; an empty digest retires the process. The planner's epoch ends: what it
        is about to write it would write by the version before. It goes on in the next one."""
        ...

    def live(self) -> dict[str, int]:
        """`{process: how many of its instances are not over}`; without those that have none."""
        ...

    def tally(self) -> dict[str, dict[InstanceState, int]]:
        """`{process: {state: how many of its instances are in it}}` of those that are not over."""
        ...

    def start(self, starts: Sequence[Start], now: datetime) -> list[int | None]:
        """Create instances by `mode`; None where this event already started this process by this trigger, or where a live
        one kept its key (`single`), which counts that (`refused`). `restart` cancels the live one; one that runs is asked to
        stop, and the new one begins when it has ended. `queued` stands in line behind the live one: in whatever unit that one
        ends, the first in line, by its event, is `ready` and has the key. All others are `ready` at once."""
        ...

    def lines(self, instances: Collection[int]) -> dict[int, tuple[int, ...]]:
        """Of those that have a key which others wait for, or wait for one themselves: who has it, and those that stand in
        line for it, the first one first."""
        ...

    # --- engines

    def register(self, process: EngineProcess) -> int:
        """A new engine; its number is never used again."""
        ...

    def beat(self, engine: int) -> bool:
        """Raise its beat; False if the others took it for dead, so that it is no engine of this database any more."""
        ...

    def engines(self) -> list[EngineRow]: ...

    def bury(self, engines: Mapping[int, int]) -> set[int]:
        """Delete those of `{engine: beat}` whose beat is still that one; returns them."""
        ...

    def lead(self, engine: int) -> int | None:
        """Become the planner if nobody alive is; returns the epoch, a number that is never given again. None if another
        is, or this is no engine any more."""
        ...

    def step_down(self, engine: int) -> None:
        """Be the planner no more; another engine may become it at once."""
        ...

    def leads(self, engine: int, epoch: int) -> bool:
        """Whether it is still the planner of that epoch, and the database is not held; until the unit ends nobody else
        can become it."""
        ...

    # --- which database this is

    def standing(self, mail: SentMail | None = None) -> Standing:
        """What the database says of itself, and whether it knows that this mail was sent; one statement."""
        ...

    def hold(self, because: str) -> None:
        """Let nobody plan, or claim an instance or a mail, until a person has said what the database is (`go_on`)."""
        ...

    def witness(self) -> None:
        """An engine keeps evidence of this database outside of it, from now on."""
        ...

    def go_on(self, identity: Identity) -> None:
        """It is held no more, and is this one from now on; the incarnation that it had is a former one."""
        ...

    # --- claims

    def claim(  # noqa: PLR0913 - most are options by keyword
        self, engine: int, now: datetime, limit: int, ids: Collection[int] = (), *,
        alone: bool = False, not_of: Collection[str] = (), bulk: bool = True,
    ) -> list[Instance]:  # fmt: skip
        """Give ready instances to this engine, oldest first, and set them `running`; bulk ones only if there are no others, and
        at most `MOST_BULK` of them. Each claim raises the
        instance's fencing token, and no flow run shows it yet. One whose predecessor (`mode: restart`) still runs is not
        given. Nothing is while the database is held. Who is no engine any more gets none.

        Args:
            ids: only these, be they bulk or not.
            alone: only one, of those with which engines died again and again; otherwise none of these.
            not_of: digests of versions that this engine cannot run.
            bulk: False: none that are bulk.
        """
        ...

    def fence(self, fencing_tokens: Mapping[int, int]) -> set[int]:
        """Those of `{instance: fencing token}` that still run under that token and are not asked to stop. The rows
        stay locked until the unit ends, so nobody else can take or cancel them meanwhile. One that is asked to stop
        ends here, `cancelled`, between two of its steps."""
        ...

    def stopped(self, fencing_tokens: Mapping[int, int]) -> set[int]:
        """Those of `{instance: fencing token}` that were cancelled while they ran under that token."""
        ...

    def give_back(self, fencing_tokens: Mapping[int, int]) -> int:
        """Make `ready` again, as they were, those that `fence` would answer; returns how many."""
        ...

    def release(self, now: datetime) -> Released:
        """Take back what engines that are no more left running: `ready` again, one death more; one that an engine
        died with while it ran alone becomes an incident."""
        ...

    def end(self, ends: Sequence[End], now: datetime) -> None:
        """Close segments: set state, give the instance up. Only after `fence` and what `save_waits` and `drop_waits` say
        of them in the same unit: one that is to be `waiting` is `ready` again if one of its waits was woken."""
        ...

    def ask_to_stop(self, instances: Collection[int], reason: str, now: datetime) -> int:
        """Cancel: running ones before their next step, all others at once."""
        ...

    def resume(self, instance: int, now: datetime) -> bool:
        """Make an incident `ready` again, bulk no more; False if it is none."""
        ...

    # --- positions, and the evidence

    def positions(self, instances: Collection[int]) -> dict[int, Checkpoint]:
        """Those that have one; an instance that is at its beginning has none."""
        ...

    def save_positions(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Only after `fence` in the same unit. `deaths` are forgotten: it got a step further."""
        ...

    def forget_positions(self, instances: Collection[int]) -> None:
        """Of those that are over."""
        ...

    # --- waits

    def waits(self, instances: Collection[int]) -> dict[int, tuple[Wait, ...]]:
        """What each of them waits for, without those that wait for nothing; what was woken first comes first."""
        ...

    def longest_waits(self, limit: int) -> list[Wait]:
        """What has been waited for longest, and is waited for still; without what it reads."""
        ...

    def save_waits(self, waits: Sequence[Wait]) -> None:
        """In the place of what these tokens waited for before; only after `fence` in the same unit. One that goes on waiting for
        events at its step stays what it is: what came for it meanwhile is there, and wakes it."""
        ...

    def drop_waits(self, waits: Collection[tuple[int, int]]) -> None:
        """By (instance, scope); only after `fence` in the same unit."""
        ...

    def oldest_pending(self) -> datetime | None:
        """When the oldest event happened that is not dispatched and waits for no import."""
        ...

    def wake_due(self, now: datetime, limit: int, *, unseen: datetime | None = None) -> int:
        """Wake at most so many waits whose time has come; their instances are ready. Returns how many there were. One that waits for
        events is left asleep while what happened by then may still come for it: it is `unseen` from that moment on."""
        ...

    def wake_by(self, events: Sequence[Event], now: datetime, limit: int) -> int:
        """Wake at most so many waits that read what these changed or deleted, before it was so (those whose records were read
        since an event was taken up know of it); returns how many there were."""
        ...

    def awaited(self, kinds: Collection[str]) -> set[str]:
        """Those of these kinds of events that something waits for."""
        ...

    def correlate(self, correlations: Sequence[Correlation], now: datetime, limit: int) -> set[int]:
        """Hand events that the planner took up to the waits that seek them, which are woken; at most so many at once. Returns the
        events that more wait for: the next call goes on with them."""
        ...

    def look_back(self, now: datetime, limit: int) -> int:
        """Wake those of at most so many new waits (or ones that seek something else since) whose records were changed between the moment at which these were read and
        that at which the wait was kept, or for which an event came before; returns how many were looked at."""
        ...

    def give_up_looking_back(self, error: Mapping[str, Any]) -> None:
        """The oldest new wait cannot be looked back from: its instance is an incident with this error."""
        ...

    def arrived(self, instances: Collection[int]) -> dict[tuple[int, int], tuple[Event, ...]]:
        """`{(instance, scope): the events that came for what is waited for there}`, in their order."""
        ...

    def consume(self, events: Collection[tuple[int, int]]) -> None:
        """By (instance, event): it comes for no wait of that instance any more. Only after `fence` in the same unit."""
        ...

    def wake(
        self, instance: int, path: str, round: str, now: datetime, *, hasten: bool = False  # noqa: A002  # a column's name
    ) -> bool:  # fmt: skip
        """Wake what an instance waits for at this step, whatever the time; False if that is nothing. `hasten`: a person does not
        want to wait any longer."""
        ...

    def steps(self, instances: Collection[int]) -> dict[int, list[StepRun]]: ...

    def record(self, rows: Sequence[StepRun]) -> None:
        """Insert or replace journal rows by (instance, path, round)."""
        ...

    def instances(
        self, *, ids: Collection[int] = (), states: Collection[str] = (), process: str = "",
        limit: int = 100,
    ) -> list[Instance]: ...  # fmt: skip

    def running_in_prefect(self) -> dict[int, str]:
        """`{instance: flow run}` of those that a flow run shows and that are not over or held."""
        ...

    def seen_in_prefect(self, flow_runs: Mapping[int, str]) -> None:
        """Note the flow run of each instance (`{instance: flow run id}`)."""
        ...

    def unseen_in_prefect(self, limit: int) -> list[Instance]:
        """Instances that ended without a flow run, oldest first."""
        ...
