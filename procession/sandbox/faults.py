"""Faults on demand: which request goes wrong, and how. Reproducible: a fault counts requests, it never rolls dice.

A fault is written `OPERATION[#N][xM]=KIND[:ARGUMENT]`: from the N-th matching request on (1 unless told), M
requests (1 unless told, `x*` for all). OPERATION is an operation's name, `*`, or a face's command
(`smtp.DATA`, `imap.FETCH`, `pop3.RETR`). A request may also carry its own: `X-Sandbox-Fault: KIND[:ARGUMENT]`.

    drop              the connection closes before anything is done
    drop-reply        everything is done, then the connection closes
    delay:SECONDS     the request waits before it is done; the client's time-out strikes
    delay-reply:SECONDS   everything is done, the reply waits
    partial:N         the first N things of a batch are done, the next is ErrorServerBusy, the rest not tried
    busy[:MS]         HTTP 200, every thing of the batch ErrorServerBusy, with a back-off of MS milliseconds
    busy-fault[:MS]   HTTP 500, SOAP fault ErrorServerBusy, with a back-off
    busy-http[:SECONDS]   HTTP 503, with Retry-After
    unauthorized      HTTP 401 (some servers throttle so)
    redirect          HTTP 302 to an error page
    error:CODE        HTTP 500, SOAP fault with that code
    inner:CODE        HTTP 200, every thing of the batch with that code
    stale             reads answer what was there before the last change
    bad-state         the sync state given is refused
    same-page         a page of changes comes a second time: the state does not move on
    poison:TEXT       items whose subject holds TEXT are ErrorItemCorrupt
    skew:SECONDS      the server's clock is wrong by so much
    late-copy:SECONDS the copy of a sent mail shows only later
    cut:BYTES         the reply ends after so many bytes, in the middle of a document
"""

import re
from dataclasses import dataclass, field, replace

from procession.sandbox.mailbox.words import Refused

KINDS = frozenset(
    {
        "drop", "drop-reply", "delay", "delay-reply", "partial", "busy", "busy-fault", "busy-http", "unauthorized", "redirect", "error",
        "inner", "stale", "bad-state", "same-page", "poison", "skew", "cut", "late-copy",
    }
)  # fmt: skip
_WANTS_NUMBER = frozenset({"delay", "delay-reply", "partial", "skew", "cut", "late-copy"})
_WANTS_TEXT = frozenset({"error", "inner", "poison"})
_SPEC = re.compile(
    r"(?P<operation>[\w.*]+?)(?:#(?P<first>\d+))?(?:x(?P<times>\d+|\*))?=(?P<kind>[\w-]+)(?::(?P<argument>.*))?"
)
FOREVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and for which requests: `times` of them from the `first` one on."""

    kind: str
    argument: str = ""
    operation: str = "*"
    first: int = 1
    times: int = 1

    @property
    def number(self) -> float:
        return float(self.argument or 0)


def read_fault(text: str) -> Fault:
    """A fault as written above.

    Raises:
        Refused: not a fault.
    """
    match = _SPEC.fullmatch(text.strip())
    if match is None:
        raise Refused(
            f"'{text}' is not a fault.",
            hint="Write OPERATION[#N][xM]=KIND[:ARGUMENT], as in CreateItem#2=drop-reply.",
        )
    times = match["times"] or "1"
    fault = Fault(
        match["kind"],
        match["argument"] or "",
        match["operation"],
        int(match["first"] or 1),
        FOREVER if times == "*" else int(times),
    )
    check(fault)
    return fault


def check(fault: Fault) -> None:
    """Raises Refused for a kind that is none, or an argument that its kind cannot use."""
    if fault.kind not in KINDS:
        raise Refused(f"There is no fault '{fault.kind}'.", hint=f"There are {', '.join(sorted(KINDS))}.")
    if fault.kind in _WANTS_TEXT and not fault.argument:
        raise Refused(
            f"The fault '{fault.kind}' needs an argument.",
            hint=f"Write {fault.operation}={fault.kind}:ARGUMENT.",
        )
    if fault.kind in _WANTS_NUMBER or (fault.kind.startswith("busy") and fault.argument):
        try:
            float(fault.argument)
        except ValueError:
            raise Refused(f"The argument of '{fault.kind}' is a number, not '{fault.argument}'.") from None


@dataclass(frozen=True, slots=True)
class CallFaults:
    """The faults of one request, by kind."""

    found: tuple[Fault, ...] = ()

    def get(self, kind: str) -> Fault | None:
        return next((fault for fault in self.found if fault.kind == kind), None)

    def before_entry(self, place: int) -> None:
        """Raises Refused where a batch is to fail at its `place`-th entry (from 0)."""
        for fault in self.found:
            if fault.kind == "busy" or (fault.kind == "partial" and place >= fault.number):
                wait = fault.argument if fault.kind == "busy" else ""
                raise Refused(
                    "The server cannot service this request right now. Try again later.",
                    reason="ServerBusy",
                    hint=wait,
                )
            if fault.kind == "inner":
                raise Refused(
                    f"The fault '{fault.argument}' was asked for.",
                    reason=fault.argument.removeprefix("Error"),
                )

    def stops(self, refusal: Refused) -> bool:
        """Does this failure of one entry end the batch?"""
        return refusal.reason == "ServerBusy" and self.get("partial") is not None

    def is_poison(self, subject: str) -> bool:
        return any(fault.kind == "poison" and fault.argument in subject for fault in self.found)


NO_FAULTS = CallFaults()


@dataclass(slots=True)
class FaultPlan:
    """The faults to come. Counting is per fault, so that each is reproducible on its own."""

    faults: list[Fault] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        check(fault)
        self.faults.append(fault)
        self.seen.append(0)

    def clear(self) -> None:
        self.faults.clear()
        self.seen.clear()

    def take(self, operation: str, asked: str = "") -> CallFaults:
        """The faults of the next request for an operation; `asked` is what the request itself carries."""
        found = [replace(read_fault(f"*={asked}"))] if asked else []
        for place, fault in enumerate(self.faults):
            if fault.operation not in {"*", operation}:
                continue
            self.seen[place] += 1
            if fault.first <= self.seen[place] < fault.first + fault.times:
                found.append(fault)
        return CallFaults(tuple(found)) if found else NO_FAULTS
