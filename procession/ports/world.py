"""The rest of the world: the mail server, mail templates, the clock; and all ports together."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import Any, Protocol

from procession.effects import Attachment, Recipient
from procession.ports.entries import Delivery, Instance
from procession.ports.store import Store
from procession.records import Record


class MailOut(Protocol):
    """Hands mail to a server over pooled connections. Safe to call from several threads."""

    @property
    def connections(self) -> int:
        """How many mails may be handed over at the same time."""
        ...

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        """Hand over one mail.

        Raises:
            TransportDeferred: nothing was accepted, another try may be.
            TransportRefused: refused for good.
            UnknownOutcome: the connection broke after the message was handed over.
            ConfigurationError: wrong credentials, or a server that is not what the settings say.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered mail template. `language` is the one that was found (BCP 47)."""

    subject: str
    text: str
    html: str
    language: str


class Renderer(Protocol):
    """Mail templates and invitations; implemented by `procession.mail.Templates`."""

    def render(self, template: str, names: Mapping[str, Any], *, language: str, timezone: str) -> Rendered:
        """Raises:
        ExpressionError: the template failed on these values (its place is in the template).
        """
        ...

    def invitation(self, meeting: Record, *, sender: Recipient, to: Sequence[Recipient]) -> Attachment:
        """An .ics file of the meeting (RFC 5545).

        Raises:
            PermanentError: the meeting has no start.
        """
        ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The world as the engine is handed it. `owner` names this engine in leases (`procession.leases`);
    `renderer` gives the templates of a version: (digest, `{path: text}`) → `Renderer`, cached."""

    store: Store
    mail_out: MailOut
    clock: Clock
    renderer: Callable[[str, Mapping[str, str]], Renderer]
    owner: str
    mail_domain: str
    default_sender: Recipient
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    lease: timedelta = timedelta(seconds=30)
    dropped: "SimpleQueue[Instance]" = field(default_factory=SimpleQueue, compare=False)
    """Claimed instances whose segment broke off, on their way back (`procession.leases.give_back`)."""

    @contextmanager
    def holding(self, instances: Iterable[Instance]) -> Iterator[None]:
        """While the block runs, claimed instances are worked on. If it breaks off they are given back: their
        lease would be renewed for as long as this process lives, and nobody would work on them."""
        is_over = False
        try:
            yield
            is_over = True
        finally:
            if not is_over:
                for instance in instances:
                    self.dropped.put(instance)
