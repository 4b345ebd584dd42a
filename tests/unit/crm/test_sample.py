from datetime import UTC, datetime

import pytest

from crm import sample
from crm.store import CrmStore
from procession.errors import InputError

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def test_the_sample_data_holds_meetings_that_are_still_to_come(store: CrmStore) -> None:
    refs = sample.load(store, NOW)

    with store.unit(write=False) as unit:
        meetings = unit.records.find("activity", {"is_meeting": True, "status": "planned"})
    assert len(meetings) == 5
    assert all(meeting.start > NOW for meeting in meetings)
    assert str(refs["ann"]) == "contact:1"


def test_the_sample_data_is_loaded_once(store: CrmStore) -> None:
    sample.load(store, NOW)

    with pytest.raises(InputError, match="The sample data is in this store already"):
        sample.load(store, NOW)


def test_meetings_by_the_hundred_have_a_contact_each(store: CrmStore) -> None:
    sample.load(store, NOW)

    refs = sample.save_meetings(store, 100, NOW)

    with store.unit(write=False) as unit:
        meetings = unit.records.fetch(refs, frozenset({("contact",), ("opportunity", "account")})).values()
    assert len({meeting.contact.email for meeting in meetings}) == 100
    assert all(meeting.is_meeting and meeting.opportunity.is_open for meeting in meetings)


def test_one_meeting_is_saved_for_whom_it_is_about(store: CrmStore) -> None:
    refs = sample.load(store, NOW)

    ref = sample.save_meeting(store, sample.Meeting("Lunch", NOW, refs["luc"], owner=refs["anna"]))

    with store.unit(write=False) as unit:
        meeting = unit.records.fetch([ref], frozenset())[ref]
    assert (str(meeting), str(meeting.contact), meeting.opportunity) == ("Lunch", "Luc Dupont", None)


def test_meetings_need_an_opportunity_to_be_about(store: CrmStore) -> None:
    with pytest.raises(InputError, match="no opportunities to meet about"):
        sample.save_meetings(store, 1, NOW)
