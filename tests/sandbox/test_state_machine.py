"""A mailbox driven through exchangelib at random, beside a plain oracle: both always say the same.

The oracle is a dictionary of what each folder holds. Synchronisation is checked by replaying its changes on
another dictionary, with faults that lose replies in between.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from exchangelib import Account, Message
from exchangelib.errors import ErrorIrresolvableConflict, ErrorItemNotFound
from exchangelib.services import SyncFolderItems
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sandbox.actors import ANNA

from procession.sandbox.mailbox.world import Snapshot
from procession.sandbox.server import Sandbox

SUBJECTS = (
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
    .map(str.strip)
    .filter(bool)
)
NAMES = ("inbox", "junk")
FOLDERS = st.sampled_from(NAMES)


@dataclass
class Replica:
    """What a client knows of a folder from SyncFolderItems alone: {item id: subject}, and its state."""

    state: str | None = None
    items: dict[str, str] = field(default_factory=dict)


def machine(sandbox: Sandbox, account: Account, clean: Snapshot) -> type[RuleBasedStateMachine]:  # noqa: C901
    class MailboxMachine(RuleBasedStateMachine):
        items: Bundle[list[str]] = Bundle("items")

        @initialize()
        def start(self) -> None:
            sandbox.call(lambda: sandbox.world.rollback(clean))
            self.oracle: dict[str, dict[str, str]] = {name: {} for name in NAMES}
            self.keys: dict[str, str] = {}
            self.replicas = {name: Replica() for name in self.oracle}

        def folder(self, name: str) -> Any:
            return getattr(account, name)

        def where(self, item: str) -> str:
            return next((name for name, held in self.oracle.items() if item in held), "")

        @rule(target=items, folder=FOLDERS, subject=SUBJECTS)
        def create(self, folder: str, subject: str) -> str:
            message = Message(account=account, folder=self.folder(folder), subject=subject).save()
            self.oracle[folder][message.id] = subject
            self.keys[message.id] = message.changekey
            return message.id

        @rule(target=items, folder=FOLDERS, subjects=st.lists(SUBJECTS, min_size=1, max_size=4))
        def create_many(self, folder: str, subjects: list[str]) -> Any:
            made = account.bulk_create(
                self.folder(folder), [Message(subject=subject) for subject in subjects]
            )
            for one, subject in zip(made, subjects, strict=True):
                self.oracle[folder][one.id], self.keys[one.id] = subject, one.changekey
            return multiple(*(one.id for one in made))

        @rule(item=items, subject=SUBJECTS)
        def change(self, item: str, subject: str) -> None:
            folder = self.where(item)
            message = Message(
                account=account,
                folder=self.folder(folder or "inbox"),
                id=item,
                changekey=self.keys[item],
                subject=subject,
            )
            if not folder:
                with pytest.raises(ErrorItemNotFound):
                    message.save(update_fields=["subject"], conflict_resolution="NeverOverwrite")
                return
            message.save(update_fields=["subject"], conflict_resolution="NeverOverwrite")
            self.oracle[folder][item], self.keys[item] = subject, message.changekey

        @rule(item=items, subject=SUBJECTS)
        def change_with_an_old_key(self, item: str, subject: str) -> None:
            folder = self.where(item)
            if not folder or self.oracle[folder][item] == subject:
                return
            old = self.keys[item]
            fresh = Message(
                account=account, folder=self.folder(folder), id=item, changekey=old, subject=subject
            )
            fresh.save(update_fields=["subject"], conflict_resolution="NeverOverwrite")
            self.oracle[folder][item], self.keys[item] = subject, fresh.changekey
            with pytest.raises(ErrorIrresolvableConflict):
                Message(
                    account=account, folder=self.folder(folder), id=item, changekey=old, subject=f"{subject}!"
                ).save(update_fields=["subject"], conflict_resolution="NeverOverwrite")

        @rule(target=items, item=consumes(items), folder=FOLDERS)
        def move(self, item: str, folder: str) -> Any:
            before = self.where(item)
            if not before:
                return multiple()
            ((moved, key),) = account.bulk_move([(item, self.keys[item])], to_folder=self.folder(folder))
            self.oracle[folder][moved] = self.oracle[before].pop(item)
            self.keys[moved] = key
            assert moved != item
            return moved

        @rule(target=items, item=items, folder=FOLDERS)
        def copy(self, item: str, folder: str) -> Any:
            before = self.where(item)
            if not before:
                return multiple()
            ((copied, key),) = account.bulk_copy([(item, self.keys[item])], to_folder=self.folder(folder))
            self.oracle[folder][copied], self.keys[copied] = self.oracle[before][item], key
            return copied

        @rule(item=items)
        def delete(self, item: str) -> None:
            (done,) = account.bulk_delete([(item, self.keys[item])])
            folder = self.where(item)
            if folder:
                assert done is True
                del self.oracle[folder][item]
            else:
                assert isinstance(done, ErrorItemNotFound)

        @rule(folder=FOLDERS, size=st.integers(1, 3))
        def synchronise_a_page(self, folder: str, size: int) -> None:
            self.page(folder, size)

        @rule(folder=FOLDERS)
        def synchronise_to_the_end(self, folder: str) -> None:
            self.synchronise(folder)

        def synchronise(self, folder: str) -> None:
            replica = self.replicas[folder]
            while not self.page(folder, 2):
                pass
            while not self.page(folder, 512):
                pass
            assert replica.items == self.oracle[folder]

        def page(self, folder: str, size: int) -> bool:
            """Take one page of changes; True when it was the last."""
            replica, service = self.replicas[folder], SyncFolderItems(account=account)
            changes = list(
                service.call(
                    folder=self.folder(folder), shape="IdOnly", additional_fields=_paths(),
                    sync_state=replica.state, ignore=None, max_changes_returned=size, sync_scope=None,
                )
            )  # fmt: skip
            for kind, item in changes:
                if kind == "delete":
                    replica.items.pop(item.id, None)
                elif kind == "create":
                    assert item.id not in replica.items
                    replica.items[item.id] = item.subject
                else:
                    assert item.id in replica.items
                    replica.items[item.id] = item.subject
            replica.state = service.sync_state
            return bool(service.includes_last_item_in_range)

        def teardown(self) -> None:
            for folder in NAMES:
                self.synchronise(folder)

        @invariant()
        def folders_hold_what_the_oracle_says(self) -> None:
            for name, held in self.oracle.items():
                found = {item.id: item.subject for item in self.folder(name).all().only("subject")}
                assert found == held, name

    return MailboxMachine


def _paths() -> list[Any]:
    from exchangelib.fields import FieldPath

    return [FieldPath(field=Message.get_field_by_fieldname("subject"))]


def test_a_mailbox_behaves_as_the_oracle_whatever_is_done_to_it(sandbox: Sandbox, anna: Account) -> None:
    clean = sandbox.call(sandbox.world.snapshot)
    assert ANNA in clean.mailboxes

    run_state_machine_as_test(
        machine(sandbox, anna, clean),
        # Without shrinking: a failing run has twenty steps at most, and making it smaller over HTTP takes minutes.
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
