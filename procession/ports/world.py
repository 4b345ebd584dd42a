"""The rest of the world: the mail server, mail templates, the clock; and all ports together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol, runtime_checkable

from procession.effects import Attachment, Recipient
from procession.ports.entries import Delivery, Instance, Pace, SentMail
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


@runtime_checkable
class BreaksOff(Protocol):
    """A `MailOut` that can be told that the engine is to stop."""

    def break_off(self) -> None:
        """Begin no mail any more, and let go of those that no server has yet: `send` raises `NotTried` for both."""
        ...


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


class ThisEngine(Protocol):
    """This process as one of the engines on the store; implemented by `procession.engines.Membership`."""

    @property
    def id(self) -> int:
        """Its number; it becomes an engine when this is first asked.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer.
        """
        ...

    @property
    def pace(self) -> Pace:
        """How often it beats, in seconds."""
        ...

    @property
    def in_hand(self) -> set[int]:
        """Mails that this process has handed over, or is about to, and has not settled yet."""
        ...

    def join(self) -> None:
        """Become an engine, if it is none yet.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer.
        """
        ...

    def look(self) -> None:
        """Look whether the database is as far as what is known of it, as an engine does that joins; one that is not
        is held then.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer.
        """
        ...

    def sent(self, mails: Sequence[SentMail]) -> None:
        """The mail server took these, and the database knows it: a database put back from a backup will not."""
        ...

    def check(self) -> None:
        """Raises:
        TemporaryError: it could not raise its beat for so long that others may take it for dead. Then it begins no
            step and hands over no mail.
        """
        ...

    def holding(self, instances: Iterable[Instance]) -> AbstractContextManager[None]:
        """While the block runs, claimed instances are worked on. If it breaks off they are given back: they would
        be claimed for as long as this process lives, and nobody would work on them."""
        ...

    def beat(self) -> None:
        """Show that it lives. One that was taken for dead becomes a new engine, and what it had is not its own any more.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer.
        """
        ...

    def leave(self) -> None:
        """It is no engine any more; the others need not wait to find that out.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer.
        """
        ...

    def give_back(self) -> int:
        """Make ready again what segments that broke off left claimed; returns how many there were.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer; they are kept for the next call.
        """
        ...

    def bury_the_dead(self) -> set[int]:
        """Look at the other engines, if it is time to, and delete those that are dead; returns them.

        Raises:
            ConfigurationError, TemporaryError: the store does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The world as the engine is handed it. `renderer` gives the templates of a version: (digest, `{path: text}`)
    → `Renderer`, cached. `trace` hears what a step sees when it decides: (path, names), for a simulation."""

    store: Store
    mail_out: MailOut
    clock: Clock
    renderer: Callable[[str, Mapping[str, str]], Renderer]
    engine: ThisEngine
    mail_domain: str
    default_sender: Recipient
    redirect_all_to: str = ""
    """Of test systems: the one address that all mail goes to."""
    timezone: tzinfo = UTC
    """Of moments that people type without one."""
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    trace: Callable[[str, Mapping[str, Any]], None] | None = None
