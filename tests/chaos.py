"""An engine as a process of its own, on any database, until somebody kills it: `python chaos.py URL SMTP_PORT [waits]`.

With `waits` a meeting's mail waits for a moment, for a message, and for its own time. Prints a line when it has begun. Its pace is quick, so that whoever sleeps is soon taken for dead.
"""

import sys
import time

import knife

from crm.clock import SystemClock
from crm.schema import SCHEMA
from crm.store import open_store
from procession.advance import advance
from procession.compile import compile_text
from procession.definitions import Definitions
from procession.effects import Recipient
from procession.engine import Engine
from procession.engines import Membership, beating
from procession.errors import ConfigurationError
from procession.mail import Templates
from procession.plan import Plan
from procession.ports import Pace, Ports
from procession.transports.smtp import SmtpMailOut, SmtpSettings

CONNECTIONS = 4
PACE = Pace(beat=0.25, stale=1, dead=1.5)
BATCH = 40
"""Instances that an engine takes at a time: small enough for two engines to share the work."""


CONFIRMED = "meeting confirmed"
WAITING = f"""
process: confirm_meeting
inputs: {{meeting: {{type: record, of: activity}}}}
triggers: [{{record: activity, events: [added], if: record.is_meeting}}]
history: {{on: "{{{{ meeting.opportunity }}}}"}}
steps:
  - {{id: pause, wait: 1s}}
  - {{id: confirmed, wait_for: {{message: {CONFIRMED}}}, timeout: 1 hour}}
  - id: mail
    send_email: {{to: "{{{{ meeting.contact }}}}", subject: "Confirmed: {{{{ meeting.subject }}}}", text: Until then, undo: 1s}}
"""


def plans(*, wait: bool) -> dict[str, Plan]:
    if not wait:
        return knife.plans()
    return {
        "confirm_meeting": compile_text(WAITING, "confirm_meeting.yaml", Templates.of_files({}), SCHEMA, ())
    }


def ports_on(url: str, smtp_port: int) -> Ports:
    renderers: dict[str, Templates] = {}

    def renderer(digest, files):
        if digest not in renderers:
            renderers[digest] = Templates.of_files(files)
        return renderers[digest]

    store = open_store(url)
    return Ports(
        store=store,
        mail_out=SmtpMailOut(SmtpSettings("127.0.0.1", smtp_port, security="none", connections=CONNECTIONS)),
        clock=SystemClock(),
        renderer=renderer,
        engine=Membership(store, pace=PACE),
        mail_domain="us.example",
        default_sender=Recipient("crm@us.example", "CRM"),
    )


def engine_on(ports: Ports, *, wait: bool = False) -> Engine:
    return Engine(
        ports, Definitions(plans(wait=wait)), lambda plan, group: advance(plan, group, ports), BATCH
    )


def main() -> None:
    ports = ports_on(sys.argv[1], int(sys.argv[2]))
    engine = engine_on(ports, wait="waits" in sys.argv)
    with beating(ports.engine):
        print("begun", flush=True)
        while True:
            try:
                done = engine.tick()
            except ConfigurationError:  # the database is away
                done = 0
            if not done:
                time.sleep(0.01)


if __name__ == "__main__":
    main()
