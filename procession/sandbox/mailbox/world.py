"""All mailboxes together: users, time, the ledger of mail that left, and going back to an earlier state."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from procession.ports import Clock
from procession.sandbox.mailbox.items import Draft
from procession.sandbox.mailbox.store import Mailbox, Ticker
from procession.sandbox.mailbox.words import Address, Event, Posted, Refused

Listener = Callable[[Mailbox, Event], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state to go back to. Taking one costs a copy of the indexes, not of the items."""

    mailboxes: dict[str, Mailbox]
    ledger: tuple[Posted, ...]
    last: int


@dataclass(frozen=True, slots=True)
class Late:
    """The copy of a sent mail that shows only later, as behind a busy transport: where it goes, and when."""

    at: datetime
    mailbox: str
    folder: int
    draft: Draft


@dataclass(slots=True)
class World:
    """The mailboxes of one organisation. Use it from one thread."""

    clock: Clock
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    """By address, lower case."""
    ledger: list[Posted] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    ticker: Ticker = field(default_factory=Ticker)
    skew: timedelta = timedelta()
    """How wrong the clock is, and `copies_late` how late copies of sent mail show: both for the request under way."""
    copies_late: timedelta = timedelta()
    late: list[Late] = field(default_factory=list)

    def moment(self) -> datetime:
        return self.clock.now() + self.skew

    def add_user(self, address: str, password: str, name: str = "", *, timezone: str = "UTC") -> Mailbox:
        """A new user with the usual folders.

        Raises:
            Refused: there is such a user already.
        """
        if address.lower() in self.mailboxes:
            raise Refused(f"There is a user {address} already.", reason="DuplicateUserIdsSpecified")
        mailbox = Mailbox(
            address, name or _name(address), password, self.ticker, self.moment, self.hear, timezone=timezone
        )
        self.mailboxes[address.lower()] = mailbox
        mailbox.furnish()
        return mailbox

    def mailbox(self, address: str) -> Mailbox | None:
        return self.mailboxes.get(address.lower())

    def logon(self, address: str, password: str) -> Mailbox | None:
        r"""The mailbox of a user who gives the right password. A domain prefix (`CORP\\anna`) is ignored."""
        wanted = address.rsplit("\\", 1)[-1].lower()
        mailbox = self.mailboxes.get(wanted)
        if mailbox is None and "@" not in wanted:
            names = [box for key, box in self.mailboxes.items() if key.split("@")[0] == wanted]
            mailbox = names[0] if len(names) == 1 else None
        return mailbox if mailbox is not None and mailbox.password == password else None

    def named(self, mailbox: Mailbox) -> Address:
        return Address(mailbox.address, mailbox.name)

    def snapshot(self) -> Snapshot:
        copies = {key: mailbox.copy() for key, mailbox in self.mailboxes.items()}
        return Snapshot(copies, tuple(self.ledger), self.ticker.last)

    def rollback(self, snapshot: Snapshot) -> None:
        """Go back. Numbers go on from where they are, so that no id or change key is ever used twice."""
        self.mailboxes = {key: mailbox.copy() for key, mailbox in snapshot.mailboxes.items()}
        self.ledger = list(snapshot.ledger)
        self.late.clear()

    def post(self, entry: Posted) -> None:
        self.ledger.append(entry)

    def hear(self, mailbox: Mailbox, event: Event) -> None:
        for listener in self.listeners:
            listener(mailbox, event)


def _name(address: str) -> str:
    return address.split("@", maxsplit=1)[0].replace(".", " ").title()
