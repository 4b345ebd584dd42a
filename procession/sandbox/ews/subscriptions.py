"""Subscriptions to events: pull, push and streaming ([MS-OXWSNTIF]).

A subscription remembers the number of the last event it gave out; events are kept with each mailbox.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from procession.sandbox.ews import ids
from procession.sandbox.ews.codecs import moment_text
from procession.sandbox.ews.names import Xml, m, t
from procession.sandbox.ews.soap import add
from procession.sandbox.ews.states import write_watermark
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Event, Refused
from procession.sandbox.mailbox.world import World

PER_MAILBOX = 5000
PAGE = 512


@dataclass(slots=True)
class Subscription:
    """`folders` None means all. `timeout` is how long an unused pull subscription lives; `url` is where a push goes."""

    id: str
    mailbox: str
    kind: str
    folders: frozenset[int] | None
    types: frozenset[str]
    watermark: int
    used: datetime
    timeout: timedelta
    url: str = ""
    caller_data: str = ""
    frequency: timedelta = timedelta(minutes=30)

    def wants(self, event: Event) -> bool:
        if f"{event.kind}Event" not in self.types:
            return False
        near = {event.folder, event.old_folder, event.parent}
        return self.folders is None or not self.folders.isdisjoint(near - {None})


@dataclass(slots=True)
class Subscriptions:
    """All subscriptions of a server; `woken` are called after each event, to wake streams and pushes."""

    world: World
    active: dict[str, Subscription] = field(default_factory=dict)
    woken: list[Callable[[], None]] = field(default_factory=list)
    limit: int = PER_MAILBOX

    def __post_init__(self) -> None:
        self.world.listeners.append(self._heard)

    def _heard(self, _mailbox: Mailbox, _event: Event) -> None:
        for wake in list(self.woken):
            wake()

    def open(
        self,
        mailbox: Mailbox,
        kind: str,
        folders: frozenset[int] | None,
        types: frozenset[str],
        **more: object,
    ) -> Subscription:
        """A new subscription; `more` are further fields of `Subscription`.

        Raises:
            Refused: too many for the mailbox.
        """
        owned = sum(other.mailbox == mailbox.address for other in self.active.values())
        if owned >= self.limit:
            raise Refused(
                "The limit of subscriptions of this mailbox is reached.", reason="ExceededSubscriptionCount"
            )
        settings: dict[str, object] = {
            "watermark": last_event(mailbox),
            "timeout": timedelta(minutes=30),
            **more,
        }
        made = Subscription(
            f"{mailbox.guid}.{uuid4().hex}", mailbox.address, kind, folders, types, used=self.world.moment(), **settings  # type: ignore[arg-type]  # fields by name
        )  # fmt: skip
        self.active[made.id] = made
        return made

    def find(self, number: str) -> Subscription:
        """Raises Refused for one that is not there, or ran out."""
        found = self.active.get(number)
        if found is None:
            raise Refused("The subscription was not found.", reason="SubscriptionNotFound")
        if found.kind == "pull" and self.world.moment() - found.used > found.timeout:
            del self.active[number]
            raise Refused("The subscription has expired.", reason="ExpiredSubscription")
        found.used = self.world.moment()
        return found

    def close(self, number: str) -> None:
        self.find(number)
        del self.active[number]

    def pending(self, subscription: Subscription, after: int) -> tuple[list[Event], bool]:
        """(up to a page of events after a number, whether there are more).

        Raises:
            Refused: events since then are no longer kept.
        """
        mailbox = self.world.mailbox(subscription.mailbox)
        if mailbox is None:
            raise Refused("The mailbox is gone.", reason="NonExistentMailbox")
        events = mailbox.events
        if events and len(events) == events.maxlen and after < events[0].number - 1:
            raise Refused("Events were missed.", reason="MissedNotificationEvents")
        wanted: list[Event] = []
        for event in reversed(events):
            if event.number <= after:
                break
            if subscription.wants(event):
                wanted.append(event)
        wanted.reverse()
        return wanted[:PAGE], len(wanted) > PAGE


def last_event(mailbox: Mailbox) -> int:
    return mailbox.events[-1].number if mailbox.events else 0


def write_notification(
    parent: Xml, world: World, subscription: Subscription, events: Iterable[Event], *, more: bool
) -> None:
    """A `Notification` with events, or a status event when there are none."""
    mailbox = world.mailboxes[subscription.mailbox.lower()]
    element = add(parent, m("Notification"))
    add(element, t("SubscriptionId"), subscription.id)
    if subscription.kind != "streaming":
        add(element, t("PreviousWatermark"), write_watermark(mailbox.guid, subscription.watermark))
        add(element, t("MoreEvents"), "true" if more else "false")
    last = subscription.watermark
    empty = True
    for event in events:
        _write_event(element, mailbox, event, subscription)
        last, empty = event.number, False
    if empty:
        status = add(element, t("StatusEvent"))
        if subscription.kind != "streaming":
            add(status, t("Watermark"), write_watermark(mailbox.guid, last))
    subscription.watermark = last


def _write_event(parent: Xml, mailbox: Mailbox, event: Event, subscription: Subscription) -> None:
    element = add(parent, t(f"{event.kind}Event"))
    if subscription.kind != "streaming":
        add(element, t("Watermark"), write_watermark(mailbox.guid, event.number))
    add(element, t("TimeStamp"), moment_text(event.at))
    _write_ids(
        element,
        mailbox,
        event.item,
        event.folder if event.item else event.parent,
        ("ItemId", event.folder, event.change),
    )
    if event.old_folder is not None:
        _write_old(element, mailbox, event)


def _write_ids(
    element: Xml, mailbox: Mailbox, item: int | None, parent: int | None, row: tuple[str, int, int]
) -> None:
    name, folder, change = row
    if item is not None:
        add(
            element,
            t(name),
            None,
            Id=ids.item_id(mailbox, item),
            ChangeKey=ids.change_key(change, mailbox.guid),
        )
    else:
        add(
            element,
            t("FolderId"),
            None,
            Id=ids.folder_id(mailbox, folder),
            ChangeKey=ids.change_key(folder, mailbox.guid),
        )
    add(
        element,
        t("ParentFolderId"),
        None,
        Id=ids.folder_id(mailbox, parent or 0),
        ChangeKey=ids.change_key(parent or 0, mailbox.guid),
    )


def _write_old(element: Xml, mailbox: Mailbox, event: Event) -> None:
    if event.old_item is not None:
        add(
            element,
            t("OldItemId"),
            None,
            Id=ids.item_id(mailbox, event.old_item),
            ChangeKey=ids.change_key(event.old_item, mailbox.guid),
        )
    else:
        add(
            element,
            t("OldFolderId"),
            None,
            Id=ids.folder_id(mailbox, event.folder),
            ChangeKey=ids.change_key(event.folder, mailbox.guid),
        )
    old = event.old_folder or 0
    add(
        element,
        t("OldParentFolderId"),
        None,
        Id=ids.folder_id(mailbox, old),
        ChangeKey=ids.change_key(old, mailbox.guid),
    )
