"""A series whose occurrences are renamed, moved and deleted at random, beside a plain oracle of its dates."""

from datetime import date, timedelta

import pytest
from exchangelib import Account, CalendarItem, EWSDateTime
from exchangelib.errors import ErrorCalendarOccurrenceIsDeletedFromRecurrence
from exchangelib.recurrence import DailyPattern, Recurrence
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from procession.sandbox.mailbox.world import Snapshot
from procession.sandbox.server import Sandbox

COUNT = 6
INDEXES = st.integers(1, COUNT)


def machine(sandbox: Sandbox, account: Account, clean: Snapshot) -> type[RuleBasedStateMachine]:  # noqa: C901 - the rules of one machine
    zone = account.default_timezone

    class SeriesMachine(RuleBasedStateMachine):
        """`expected` is {index: (subject, start)} of the occurrences that are left. The span holds a change to summer time."""

        @initialize()
        def start(self) -> None:
            sandbox.call(lambda: sandbox.world.rollback(clean))
            first = EWSDateTime(2026, 3, 26, 9, tzinfo=zone)
            self.series = CalendarItem(
                account=account, folder=account.calendar, subject="Daily", start=first, end=first + timedelta(minutes=30),
                recurrence=Recurrence(pattern=DailyPattern(interval=1), start=date(2026, 3, 26), number=COUNT),
            ).save()  # fmt: skip
            days = [date(2026, 3, 26) + timedelta(days=number) for number in range(COUNT)]
            self.expected = {
                number: ("Daily", EWSDateTime(day.year, day.month, day.day, 9, tzinfo=zone))
                for number, day in enumerate(days, 1)
            }

        def occurrence(self, number: int) -> CalendarItem | None:
            if number not in self.expected:
                with pytest.raises(ErrorCalendarOccurrenceIsDeletedFromRecurrence):
                    self.series.occurrence(index=number).refresh()
                return None
            found = self.series.occurrence(index=number)
            found.refresh()
            return found

        @rule(number=INDEXES, subject=st.sampled_from(["A", "B", "Daily"]))
        def rename(self, number: int, subject: str) -> None:
            found = self.occurrence(number)
            if found is not None:
                found.subject = subject
                found.save(update_fields=["subject"])
                self.expected[number] = (subject, self.expected[number][1])

        @rule(number=INDEXES, minutes=st.sampled_from([-60, 0, 45, 600]))
        def move(self, number: int, minutes: int) -> None:
            found = self.occurrence(number)
            if found is not None:
                start = found.start.astimezone(zone) + timedelta(minutes=minutes)
                found.start, found.end = start, start + timedelta(minutes=30)
                found.save(update_fields=["start", "end"])
                self.expected[number] = (self.expected[number][0], start)

        @rule(number=INDEXES)
        def delete(self, number: int) -> None:
            if len(self.expected) > 1 and (found := self.occurrence(number)) is not None:
                found.delete()
                del self.expected[number]

        @invariant()
        def the_calendar_shows_what_is_expected(self) -> None:
            span = (EWSDateTime(2026, 3, 1, tzinfo=zone), EWSDateTime(2026, 5, 1, tzinfo=zone))
            seen = [
                (item.subject, item.start) for item in account.calendar.view(*span).only("subject", "start")
            ]
            assert sorted(seen) == sorted(self.expected.values())

        @invariant()
        def the_series_lists_what_differs_and_what_is_gone(self) -> None:
            self.series.refresh()
            assert len(self.series.deleted_occurrences or ()) == COUNT - len(self.expected)

    return SeriesMachine


def test_a_series_behaves_as_the_oracle_whatever_is_done_to_it(sandbox: Sandbox, anna: Account) -> None:
    clean = sandbox.call(sandbox.world.snapshot)

    run_state_machine_as_test(
        machine(sandbox, anna, clean),
        settings=settings(
            max_examples=12,
            stateful_step_count=12,
            deadline=None,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
