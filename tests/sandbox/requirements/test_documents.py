"""Requirements that documents show: every row of `evidence.tsv` names one and what shows it.

The documents are those of a scenario with every operation; requests were accepted by the schema, replies held
against it.
"""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from sandbox.actors import ANNA, BEN, CARLA, PASSWORD, SetClock
from sandbox.client import NS
from sandbox.requirements.evidence import Evidence, collect
from sandbox.requirements.schema_walk import schema

from procession.sandbox.mailbox.world import World
from procession.sandbox.server import Listening, Sandbox

Row = Mapping[str, str]
ROWS = list(
    csv.DictReader(
        (Path(__file__).parent / "evidence.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t"
    )
)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    sandbox = Sandbox(World(SetClock()), Listening(check_replies=True))
    for address in (ANNA, BEN, CARLA):
        sandbox.world.add_user(address, PASSWORD)
    with sandbox:
        found = collect(sandbox.endpoints.ews)
        assert sandbox.site.ews.reply_problems == []
        return found


def _type(evidence: Evidence, row: Row) -> bool:
    return (row["subject"], row["member"], row["of"]) in evidence.rows


def _extends(evidence: Evidence, row: Row) -> bool:
    return (row["subject"], "", "") in evidence.rows and row["member"] in schema().chain(row["subject"])[1:]


def _returned(evidence: Evidence, row: Row) -> bool:
    return any(found[:2] == (row["subject"], row["member"]) for found in evidence.rows)


def _reply(evidence: Evidence, row: Row) -> bool:
    return bool(evidence.replies[row["subject"]].xpath(f"s:Body/m:{row['subject']}Response", namespaces=NS))


def _header(evidence: Evidence, row: Row) -> bool:
    found = evidence.replies[row["subject"]].xpath("s:Header/t:ServerVersionInfo", namespaces=NS)
    return (
        len(found) == 1 and found[0].get("MajorVersion") == "15" and found[0].get("Version") == "Exchange2016"
    )


def _success(evidence: Evidence, row: Row) -> bool:
    return _outcome(evidence.replies[row["subject"]], row["subject"]) == ("Success", "NoError")


def _unsuccessful(evidence: Evidence, row: Row) -> bool:
    kind, code = _outcome(evidence.refused[row["subject"]], row["subject"])
    return kind == "Error" and code.startswith("Error")


def _outcome(reply, operation: str) -> tuple[str, str]:
    (message,) = reply.xpath(
        f"s:Body/m:{operation}Response/m:ResponseMessages/m:{operation}ResponseMessage[last()]", namespaces=NS
    )
    return message.get("ResponseClass"), message.findtext(f"{{{NS['m']}}}ResponseCode")


def _kept(evidence: Evidence, row: Row) -> bool:
    return (row["subject"], row["member"]) in evidence.kept


SHOWS: Mapping[str, Callable[[Evidence, Row], bool]] = {
    "type": _type,
    "extends": _extends,
    "returned": _returned,
    "reply": _reply,
    "header": _header,
    "success": _success,
    "unsuccessful": _unsuccessful,
    "kept": _kept,
    "fixed": lambda evidence, row: row["subject"] in evidence.fixed,
    "implemented": lambda evidence, row: row["subject"] in evidence.implemented,
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_the_documents_show_that_a_requirement_holds(evidence: Evidence, row: Row) -> None:
    assert SHOWS[row["shows"]](evidence, row), (
        f"{row['id']}: nothing shows {row['shows']} {row['subject']} {row['member']} {row['of']}".rstrip()
    )
