"""When mails may go out: on which days, between which times, on the clock of whoever they are for."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from procession.steps.kind import LiteralMark, Shape

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _time(value: object) -> object:
    """YAML 1.2 reads `08:30` as text; what is no text is refused by what stands behind this. `time` reads more, such as a zone
    and parts of a second."""
    if isinstance(value, str) and not re.fullmatch(_TIME, value):
        raise ValueError(
            f"{value!r} is no time of day; write 08:00, which is on the clock of whoever the mail is for"
        )
    return value


_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"
TimeOfDay = Annotated[
    str, BeforeValidator(_time), WithJsonSchema({"type": "string", "pattern": f"^{_TIME}$"})
]


class SendWindow(Shape):
    days: Annotated[list[Day], LiteralMark()] = Field(
        ["mon", "tue", "wed", "thu", "fri"],
        min_length=1,
        title="Days",
        description="Monday to Friday if left out.",
    )
    from_: Annotated[TimeOfDay, LiteralMark()] = Field("08:00", alias="from", title="From")
    to: Annotated[TimeOfDay, LiteralMark()] = Field(
        "18:00", title="To", description="That moment is outside."
    )

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if time.fromisoformat(self.from_) >= time.fromisoformat(self.to):
            raise ValueError("'from' must be before 'to', on the same day")
        return self


@dataclass(frozen=True, slots=True)
class Window:
    """`days` from 0, Monday; open from `opens` until just before `closes`."""

    days: frozenset[int]
    opens: time
    closes: time


OFFICE_HOURS = Window(frozenset(range(5)), time(8), time(18))


def window(given: Any) -> Window | None:
    """What a step says: `office_hours`, or the fields of a `SendWindow`."""
    if not given:
        return None
    if given == "office_hours":
        return OFFICE_HOURS
    read = SendWindow.model_validate(given)
    days = frozenset(DAYS.index(day) for day in read.days)
    return Window(days, time.fromisoformat(read.from_), time.fromisoformat(read.to))


def next_open(when: Window, at: datetime, zone: ZoneInfo) -> datetime:
    """The first moment from `at` on at which it is open in that zone, in UTC. A time that a change of the clocks leaves
    out is the one after the change, one that comes twice is the first."""
    for days in range(8):
        day = at.astimezone(zone).date() + timedelta(days=days)
        if day.weekday() not in when.days:
            continue
        opens, closes = (
            datetime.combine(day, moment, zone).astimezone(UTC) for moment in (when.opens, when.closes)
        )
        if at < closes:
            return max(at.astimezone(UTC), opens)
    raise AssertionError("every week has one of its days")
