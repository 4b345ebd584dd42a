"""What can come of a turn, as far as the way is concerned. A step's `decide` knows; nothing here looks at a kind of
step, so that a new one with the same consequence needs no change here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from procession.steps.kind import Stop


@dataclass(frozen=True, slots=True)
class Done:
    """The step is done, and the way goes on after it."""

    set_vars: Mapping[str, Any] = field(default_factory=dict)
    """What `vars.*` become."""
    passes_over: int = 0
    """How many of the steps that follow in its list are not taken."""


@dataclass(frozen=True, slots=True)
class Enter:
    """Go through these slots of the step, one after another; those that it does not have are passed over."""

    slots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """Go through the slot `steps` once for each of so many items, one after another."""

    count: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """Go through the slot `steps`, then take this step again: it decides whether that is all (`Done`)."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Go through these slots side by side, each with `vars` of its own, until `needed` of them are over (all, if there
    are fewer); then cancel the others, or let them go on by themselves."""

    slots: tuple[str, ...]
    needed: int
    rest: Literal["cancel", "continue"] = "cancel"


@dataclass(frozen=True, slots=True)
class Spawn:
    """Wait until `needed` of `count` instances of their own are over (`child_ended`); all, if there are fewer."""

    count: int
    needed: int


@dataclass(frozen=True, slots=True)
class Wait:
    """The token waits at its step until it is woken (`wake`)."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The rest of the list of steps in which it stands is not taken."""


@dataclass(frozen=True, slots=True)
class End:
    """The instance ends here."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The step failed and is to be tried again later; `attempts` have failed by now, one more if None."""

    error: Mapping[str, Any]
    attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The step failed for good. What catches an error catches it, or its token becomes an incident."""

    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """The token becomes an incident at once, whatever would catch an error: only a person can know what to do."""

    error: Mapping[str, Any]


Outcome = Done | Enter | Loop | Repeat | Fork | Spawn | Wait | Leave | End | TryAgain | Failed | Held
