"""Requests that were good once, changed at random: each gets an answer of Exchange's, and the server goes on.

A mistake of the sandbox itself would be ErrorInternalServerError, which no answer here may be.
"""

import copy
import random
from typing import Any

import pytest
from lxml import etree
from sandbox.actors import ANNA, BEN, PASSWORD
from sandbox.client import Client
from sandbox.requirements import scenario

from procession.sandbox.server import Sandbox

WORDS = ("", "x", "0", "-1", "1", "99999999999", "true", "2026-13-45", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00", "AAAA", "====", "Ä\u202e", "<>", "a@b", " ", "IPM.Note", "NaN", "1e400", "P1D", "0x6001", "Mars")  # fmt: skip
SEARCHED = ("item:Subject", "item:Body", "item:Categories", "item:DateTimeReceived", "item:Size", "item:Attachments", "message:From", "message:ToRecipients", "item:ItemId", "item:Flag", "item:ConversationId", "calendar:Start", "calendar:Recurrence", "calendar:RequiredAttendees", "contacts:EmailAddresses", "contacts:CompleteName", "task:PercentComplete", "item:InstanceKey", "item:EffectiveRights", "item:MimeContent", "calendar:Duration", "item:InternetMessageHeaders", "persona:PersonaId")  # fmt: skip
TESTS = (
    "<t:Exists>{path}</t:Exists>",
    "<t:Contains ContainmentMode='Substring' ContainmentComparison='IgnoreCase'>{path}<t:Constant Value='a'/></t:Contains>",
    "<t:Excludes>{path}<t:Bitmask Value='0x1'/></t:Excludes>",
    "<t:IsGreaterThan>{path}<t:FieldURIOrConstant><t:Constant Value='1'/></t:FieldURIOrConstant></t:IsGreaterThan>",
    "<t:IsEqualTo>{path}<t:FieldURIOrConstant><t:FieldURI FieldURI='item:Subject'/></t:FieldURIOrConstant></t:IsEqualTo>",
)


def mutated(requests: list[Any], ids: list[str], dice: random.Random) -> str:
    """A request with one or two elements emptied, removed, doubled, replaced, or given another value."""
    request = copy.deepcopy(dice.choice(requests))
    for _ in range(dice.randint(1, 2)):
        element, how = dice.choice(list(request.iter())), dice.random()
        parent = element.getparent()
        if how < 0.35 and not len(element):
            element.text = dice.choice(WORDS)
        elif how < 0.6 and element.attrib:
            name = dice.choice(list(element.attrib))
            element.set(
                name, dice.choice(ids) if name.endswith("Id") and dice.random() < 0.6 else dice.choice(WORDS)
            )
        elif how < 0.75 and parent is not None:
            parent.remove(element)
        elif how < 0.9 and parent is not None:
            parent.append(copy.deepcopy(element))
        elif parent is not None:
            parent.replace(element, copy.deepcopy(dice.choice(list(dice.choice(requests).iter()))))
    return etree.tostring(request).decode()


def answer(client: Client, body: str) -> str:
    reply = client.raw(client.envelope(body))
    codes = reply.codes or [element.text for element in reply.all("//e:ResponseCode")]
    assert reply.status in {200, 500}
    return codes[0] if codes else "NoError"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_request_changed_at_random_gets_an_answer(sandbox: Sandbox, seed: int) -> None:
    anna, ben = (
        scenario.recorder(sandbox.endpoints.ews, ANNA, PASSWORD),
        scenario.recorder(sandbox.endpoints.ews, BEN, PASSWORD),
    )
    scenario.run(anna, ben)
    requests = [
        document for document in anna.documents if not etree.QName(document).localname.endswith("Response")
    ]
    ids = [value for document in anna.documents for value in document.xpath("//@Id") if len(value) > 50]
    dice = random.Random(seed)

    codes = [answer(anna, mutated(requests, ids, dice)) for _ in range(400)]

    assert "ErrorInternalServerError" not in codes
    assert anna.find().code == "NoError"


@pytest.mark.parametrize("uri", SEARCHED)
def test_any_property_may_be_searched_and_sorted_by_or_says_why_not(
    sandbox: Sandbox, client: Client, uri: str
) -> None:
    client.create(scenario.MESSAGE, folder="inbox")
    client.create(scenario.CONTACT, folder="contacts")
    client.create(
        scenario.EVENT.format(rule=f"<t:Recurrence>{scenario.PATTERNS[0]}{scenario.RANGES[0]}</t:Recurrence>")
    )
    client.create(scenario.TASK.format(rule=""), folder="tasks")
    path = f"<t:FieldURI FieldURI='{uri}'/>"
    order = f"<t:FieldOrder Order='Descending'>{path}</t:FieldOrder>"

    codes = {
        client.find(folder, restriction=test.format(path=path), order=order).code
        for folder in ("inbox", "contacts", "calendar", "tasks")
        for test in TESTS
    }

    assert codes <= {"NoError", "ErrorUnsupportedPathForQuery", "ErrorUnsupportedPathForSortGroup", "ErrorInvalidExcludesRestriction", "ErrorInvalidValueForProperty"}  # fmt: skip


def test_a_mistake_of_our_own_is_an_internal_error_and_nothing_of_it_is_shown(
    sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from procession.sandbox.ews import face

    broken = face.Operation("FindItem", lambda _call: 1 / 0)
    monkeypatch.setitem(face.BY_NAME, "FindItem", broken)

    reply = client.find()

    assert (reply.status, reply.code) == (500, "ErrorInternalServerError")
    assert b"ZeroDivision" not in reply.data
    assert "a mistake of the sandbox's own" in caplog.text
