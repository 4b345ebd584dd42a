"""Runs engines on databases until they are idle, and kills each at its n-th instant: `python knife.py`.

Reads a line `PORT N DB` for each engine, which is a process of its own, forked from this one, that has imported all and
opened nothing: importing takes ten times as long as such an engine lives. Instants are before and after every commit, and
before and after the mail server's acceptance of a mail. Answers with a line: how many there were if the engine lived, else
the negative number of the signal that ended it.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine_world import CrashingStore, Fuse

from crm.clock import SystemClock
from crm.schema import SCHEMA
from crm.store import open_store
from procession.advance import advance
from procession.compile import load
from procession.definitions import Definitions
from procession.effects import Recipient
from procession.engine import Engine
from procession.engines import Membership
from procession.mail import Templates
from procession.plan import Plan
from procession.ports import Delivery, Ports
from procession.transports.smtp import SmtpMailOut, SmtpSettings

ROOT = Path(__file__).parents[1]
PROCESS = "notify_contact_of_meeting"


class Knife(Fuse):
    def instant(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Watched:
    """A mail server's client, with an instant before the hand-over and after the acceptance."""

    mail_out: SmtpMailOut
    knife: Fuse
    connections: int = 1

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        self.knife.instant()
        delivery = self.mail_out.send(sender, recipients, mime)
        self.knife.instant()
        return delivery

    def close(self) -> None:
        self.mail_out.close()


def plans() -> dict[str, Plan]:
    """The main job alone, without the other shipped processes."""
    templates = Templates(ROOT / "templates")
    plan = load(ROOT / "processes", templates, SCHEMA, frozenset())[PROCESS]
    return {PROCESS: plan}


def ports_on(database: Path, smtp_port: int, knife: Fuse) -> Ports:
    store = open_store(f"sqlite:///{database}")
    return Ports(
        store=CrashingStore(store, knife),
        mail_out=Watched(SmtpMailOut(SmtpSettings("127.0.0.1", smtp_port, security="none")), knife),
        clock=SystemClock(),
        renderer=lambda _digest, files: Templates.of_files(files),
        engine=Membership(store),
        mail_domain="us.example",
        default_sender=Recipient("crm@us.example", "CRM"),
    )


def run_until_idle(ports: Ports, known: dict[str, Plan]) -> None:
    engine = Engine(ports, Definitions(known), lambda plan, group: advance(plan, group, ports))
    while engine.tick():
        pass


def live(database: Path, port: int, at: int, known: dict[str, Plan]) -> int:
    knife = Knife(at)
    run_until_idle(ports_on(database, port, knife), known)
    return knife.passed


def main() -> None:
    known = plans()
    for line in sys.stdin:
        port, at, database = line.rstrip("\n").split(" ", 2)
        if not (engine := os.fork()):
            sys.stdout.write(f"{live(Path(database), int(port), int(at), known)}\n")
            sys.stdout.flush()
            os._exit(0)
        if code := os.waitstatus_to_exitcode(os.waitpid(engine, 0)[1]):
            sys.stdout.write(f"{code}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
