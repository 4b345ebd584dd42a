"""How long a page takes as a mailbox grows: `python -m sandbox.scale` (from tests/) prints the table of docs/sandbox.md.

Times are those of the whole request over loopback, the client's reading included: the median of 15.
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable

from sandbox.actors import ANNA, PASSWORD
from sandbox.client import Client, field_uri

from procession.sandbox.mailbox.words import Address, Body, PropertyName
from procession.sandbox.mailbox.world import World
from procession.sandbox.server import Sandbox, SystemClock

SIZES = (1_000, 10_000, 100_000)
TOKEN = PropertyName("String", set_id="7b2a1b0e-2c1d-4b3f-9d8e-6a5b4c3d2e1f", name="Token")
TOKEN_XML = '<t:ExtendedFieldURI PropertySetId="7b2a1b0e-2c1d-4b3f-9d8e-6a5b4c3d2e1f" PropertyName="Token" PropertyType="String"/>'
BODY = Body(
    "<html><body>" + "<p>Four kilobytes of text, more or less.</p>" * 93 + "</body></html>", html=True
)
PAGE = '<m:IndexedPageItemView MaxEntriesReturned="50" Offset="{}" BasePoint="Beginning"/>'


def fill(sandbox: Sandbox, size: int) -> None:
    mailbox = sandbox.world.mailboxes[ANNA]
    inbox, sender = mailbox.role("inbox"), Address("customer@elsewhere.test", "A customer")
    for number in range(size):
        values = {
            "subject": f"Mail {number}", "body": BODY, "from": sender, "sender": sender, "to": (Address(ANNA, "Anna"),), "is_read": False,
            "message_id": f"<{number}@elsewhere.test>", "received": mailbox.moment(), "sent": mailbox.moment(),
        }  # fmt: skip
        mailbox.add(inbox, "message", values, extended={TOKEN: f"t-{number}"})


def calls(client: Client, size: int) -> dict[str, Callable[[], object]]:
    ids = client.find(view=PAGE.format(size // 2)).ids()
    state = client.sync(limit=512).text("//m:SyncState")
    found = f'<t:IsEqualTo>{TOKEN_XML}<t:FieldURIOrConstant><t:Constant Value="t-{size // 2}"/></t:FieldURIOrConstant></t:IsEqualTo>'
    return {
        "FindItem, first page of 50": lambda: client.find(view=PAGE.format(0), base="Default"),
        "FindItem, a page of 50 in the middle": lambda: client.find(
            view=PAGE.format(size // 2), base="Default"
        ),
        "FindItem by a token": lambda: client.find(restriction=found),
        "SyncFolderItems, first page of 50": lambda: client.sync(limit=50),
        "SyncFolderItems, a later page of 50": lambda: client.sync(state=state, limit=50),
        "GetItem of 50, ids only": lambda: client.get(*ids, base="IdOnly"),
        "GetItem of 50, subject and sender": lambda: client.get(
            *ids, base="IdOnly", extra=field_uri("item:Subject") + field_uri("message:From")
        ),
        "GetItem of 50, all properties, 4 kB bodies": lambda: client.get(*ids),
        "CreateItem": lambda: client.note("One more"),
    }


def median_ms(call: Callable[[], object]) -> float:
    times = []
    for _ in range(15):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def measure() -> dict[str, list[float]]:
    """Milliseconds of each call, one for each size."""
    rows: dict[str, list[float]] = {}
    for size in SIZES:
        sandbox = Sandbox(World(SystemClock()))
        sandbox.world.add_user(ANNA, PASSWORD)
        fill(sandbox, size)
        # Python's collector walks everything that lives; what is there to stay need not be walked for each page.
        gc.collect()
        gc.freeze()
        with sandbox:
            client = Client(sandbox.endpoints.ews, ANNA, PASSWORD)
            for name, call in calls(client, size).items():
                rows.setdefault(name, []).append(median_ms(call))
        gc.unfreeze()
    return rows


if __name__ == "__main__":
    sys.stdout.write(
        f"| milliseconds | {' | '.join(f'{size:,}' for size in SIZES)} |\n|---|{'---|' * len(SIZES)}\n"
    )
    for name, times in measure().items():
        sys.stdout.write(f"| {name} | {' | '.join(f'{value:.1f}' for value in times)} |\n")
