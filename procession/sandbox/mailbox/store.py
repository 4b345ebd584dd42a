"""One user's mailbox: folders and items, their history, and the events that others listen to.

Everything here is one small step that keeps items, histories, indexes and events in line with each other.
What a step means for people (sending, inviting, completing) is decided above.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from procession.sandbox.mailbox.changes import ChangeLog
from procession.sandbox.mailbox.index import FolderOrder, Identities
from procession.sandbox.mailbox.items import DISTINGUISHED, ITEM_CLASS, Folder, Item
from procession.sandbox.mailbox.words import Event, Refused

EVENTS_KEPT = 20_000
READ_FLAG = frozenset({"is_read"})


@cache
def _guid(address: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"mailbox:{address}"))


@dataclass(slots=True)
class Ticker:
    """The number of the last change anywhere: item ids, change keys, sync states and watermarks are such numbers."""

    last: int = 0

    def next(self) -> int:
        self.last += 1
        return self.last


@dataclass(slots=True)
class Mailbox:
    """A mailbox. `moment` gives the time, aware and in UTC; `heard` is called with each event."""

    address: str
    name: str
    password: str
    ticker: Ticker
    moment: Callable[[], datetime]
    heard: Callable[["Mailbox", Event], None]
    timezone: str = "UTC"
    folders: dict[int, Folder] = field(default_factory=dict)
    roles: dict[str, int] = field(default_factory=dict)
    children: dict[int, list[int]] = field(default_factory=dict)
    items: dict[int, Item] = field(default_factory=dict)
    logs: dict[int, ChangeLog] = field(default_factory=dict)
    orders: dict[int, FolderOrder] = field(default_factory=dict)
    identities: Identities = field(default_factory=Identities)
    hierarchy: ChangeLog = field(default_factory=ChangeLog)
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    stale: dict[int, Item] = field(default_factory=dict)
    """The version before the last change of each item: what a stale read answers."""
    oof: Mapping[str, Any] = field(default_factory=dict)

    @property
    def guid(self) -> str:
        return _guid(self.address.lower())

    def furnish(self) -> None:
        """Make the distinguished folders of a new mailbox."""
        for role, parent, name, folder_class in DISTINGUISHED:
            self.add_folder(self.roles.get(parent, 0), name or "Root", folder_class, role=role)

    def copy(self) -> "Mailbox":
        """A copy that shares nothing that changes."""
        return replace(
            self,
            folders=dict(self.folders),
            roles=dict(self.roles),
            children={parent: list(ids) for parent, ids in self.children.items()},
            items=dict(self.items),
            logs={key: log.copy() for key, log in self.logs.items()},
            orders={key: order.copy() for key, order in self.orders.items()},
            identities=self.identities.copy(),
            hierarchy=self.hierarchy.copy(),
            events=deque(self.events, maxlen=EVENTS_KEPT),
            stale=dict(self.stale),
        )

    # Folders

    def folder(self, number: int) -> Folder:
        try:
            return self.folders[number]
        except KeyError:
            raise Refused(
                "The specified folder could not be found in the store.", reason="FolderNotFound"
            ) from None

    def role(self, role: str) -> Folder:
        try:
            return self.folders[self.roles[role]]
        except KeyError:
            raise Refused(
                "The specified folder could not be found in the store.", reason="FolderNotFound"
            ) from None

    def path(self, folder: Folder) -> Iterator[Folder]:
        """The folder and everything above it."""
        while True:
            yield folder
            if folder.parent not in self.folders:
                return
            folder = self.folders[folder.parent]

    def below(self, folder: Folder) -> Iterator[Folder]:
        """Everything below the folder, parents first."""
        for child in self.children.get(folder.id, ()):
            yield self.folders[child]
            yield from self.below(self.folders[child])

    def child(self, parent: Folder, name: str) -> Folder | None:
        same = (self.folders[number] for number in self.children.get(parent.id, ()))
        return next((folder for folder in same if folder.name.lower() == name.lower()), None)

    def add_folder(
        self,
        parent: int,
        name: str,
        folder_class: str,
        *,
        role: str = "",
        extended: Mapping[Any, Any] | None = None,
    ) -> Folder:
        if parent and self.child(self.folder(parent), name):
            raise Refused("A folder with the specified name already exists.", reason="FolderExists")
        number = self.ticker.next()
        folder = Folder(number, parent, name, folder_class, number, number, role, extended or {})
        self.folders[number] = folder
        self.children.setdefault(parent, []).append(number)
        self.logs[number], self.orders[number] = ChangeLog(), FolderOrder()
        if role:
            self.roles[role] = number
        self.hierarchy.arrived(number, number)
        self.tell("Created", number, parent=parent)
        return folder

    def change_folder(self, folder: Folder, **fields: Any) -> Folder:
        """Give the folder another name, parent, class or extended properties (fields of `Folder`)."""
        number = self.ticker.next()
        changed = replace(folder, change=number, **fields)
        if changed.parent != folder.parent:
            self.children[folder.parent].remove(folder.id)
            self.children.setdefault(changed.parent, []).append(folder.id)
            self.tell("Moved", folder.id, parent=changed.parent, old_folder=folder.id)
        else:
            self.tell("Modified", folder.id, parent=folder.parent)
        self.folders[folder.id] = changed
        self.hierarchy.changed(folder.id, folder.created, number)
        return changed

    def remove_folder(self, folder: Folder) -> None:
        for child in [self.folders[number] for number in self.children.get(folder.id, ())]:
            self.remove_folder(child)
        for item in self.contents(folder):
            self.remove(item)
        self.children[folder.parent].remove(folder.id)
        del self.folders[folder.id], self.logs[folder.id], self.orders[folder.id]
        self.hierarchy.left(folder.id, folder.created, self.ticker.next())
        self.tell("Deleted", folder.id, parent=folder.parent)

    # Items

    def item(self, number: int) -> Item:
        try:
            return self.items[number]
        except KeyError:
            raise Refused("The specified object was not found in the store.", reason="ItemNotFound") from None

    def contents(self, folder: Folder) -> list[Item]:
        """The items of a folder, oldest arrival first."""
        return [self.items[number] for _, number in self.logs[folder.id].arrivals]

    def add(
        self, folder: Folder, kind: str, values: Mapping[str, Any], *, new_mail: bool = False, **parts: Any
    ) -> Item:
        """Put a new item into a folder. `parts` are further fields of `Item` (attachments, extended, mime…)."""
        number, now = self.ticker.next(), self.moment()
        parts.setdefault("item_class", ITEM_CLASS[kind])
        parts.setdefault("modifier", self.name)
        item = Item(
            id=number, folder=folder.id, kind=kind, values=values, change=number, arrival=number,
            **{"created": now, "modified": now, **parts},
        )  # fmt: skip
        self._place(item)
        self.tell("Created", folder.id, item=item.id, change=item.change)
        if new_mail:
            self.tell("NewMail", folder.id, item=item.id, change=item.change)
        return item

    def change(self, item: Item, values: Mapping[str, Any] | None = None, **parts: Any) -> Item:
        """Replace an item's values, or other fields of `Item`; nothing happens if they are what they were."""
        after = replace(item, values=item.values if values is None else values, **parts)
        if after == item:
            return item
        after = replace(
            after,
            change=self.ticker.next(),
            modified=self.moment(),
            modifier=parts.get("modifier", self.name),
        )
        self.stale[item.id] = item
        self._lift(item)
        self._settle(after)
        self.logs[after.folder].changed(
            after.id, after.arrival, after.change, read_flag_only=differing(item, after) <= READ_FLAG
        )
        self.tell("Modified", after.folder, item=after.id, change=after.change)
        return after

    def remove(self, item: Item) -> None:
        self._lift(item)
        self.stale.pop(item.id, None)
        self.logs[item.folder].left(item.id, item.arrival, self.ticker.next())
        self.tell("Deleted", item.folder, item=item.id, change=item.change)

    def move(self, item: Item, folder: Folder) -> Item:
        """Put an item into another folder; it gets a new id."""
        self._lift(item)
        self.stale.pop(item.id, None)
        self.logs[item.folder].left(item.id, item.arrival, self.ticker.next())
        number = self.ticker.next()
        moved = replace(
            item, id=number, folder=folder.id, change=number, arrival=number, modified=self.moment()
        )
        self._place(moved)
        self.tell("Moved", folder.id, item=number, old_folder=item.folder, old_item=item.id, change=number)
        return moved

    def duplicate(self, item: Item, folder: Folder) -> Item:
        """Copy an item, of this or another mailbox, into a folder; it keeps its extended properties."""
        number, now = self.ticker.next(), self.moment()
        copied = replace(
            item, id=number, folder=folder.id, change=number, arrival=number, created=now, modified=now,
            attachments=tuple(replace(part, number=self.ticker.next()) for part in item.attachments),
        )  # fmt: skip
        self._place(copied)
        self.tell("Copied", folder.id, item=number, old_folder=item.folder, old_item=item.id, change=number)
        return copied

    def restore(self, item: Item) -> None:
        """Put back an item that was read from a file; nobody is told."""
        self._place(item)

    def _place(self, item: Item) -> None:
        self._settle(item)
        self.logs[item.folder].arrived(item.id, item.arrival)

    def _settle(self, item: Item) -> None:
        self.items[item.id] = item
        self.orders[item.folder].add(item)
        self.identities.add(item)

    def _lift(self, item: Item) -> None:
        del self.items[item.id]
        self.orders[item.folder].drop(item)
        self.identities.drop(item)

    # Events

    def tell(self, kind: str, folder: int, **more: Any) -> None:
        """Record an event and tell the listener; `more` are further fields of `Event`."""
        event = Event(self.ticker.next(), self.moment(), kind, folder, **more)
        self.events.append(event)
        self.heard(self, event)


def differing(before: Item, after: Item) -> set[str]:
    """The words whose values differ; other parts of the item count as words of their own."""
    names = before.values.keys() | after.values.keys()
    words = {name for name in names if before.values.get(name) != after.values.get(name)}
    parts = ("kind", "item_class", "extended", "attachments", "overrides", "dropped", "mime")
    return words | {part for part in parts if getattr(before, part) != getattr(after, part)}
