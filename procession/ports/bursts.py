"""Saves of one record that a trigger waits out (`debounce`), until a while has passed without another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from procession.records import Ref

BurstKey = tuple[str, str, Ref]
"""(process, id of the trigger, record)."""


@dataclass(frozen=True, slots=True)
class Burst:
    """What happened to a record so far: it was added if the first event `was_added`, it is gone if the last one says so (`payload` is what it
    was), and `changed` adds up. `event` is the number of the last one, `at` its moment; its start falls `due` when none follows."""

    process: str
    trigger: str
    ref: Ref
    event: int
    at: datetime
    due: datetime
    was_added: bool = False
    is_deleted: bool = False
    changed: tuple[str, ...] = ()
    bulk: bool = False
    payload: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> BurstKey:
        return self.process, self.trigger, self.ref
