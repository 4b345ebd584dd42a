"""Settings → ports: the composition root, the only place that knows which parts the application is made of.

application(project)   settings are read; nothing is opened yet
.templates .files()    content, for those who only check or show it
.definitions           the processes as the database has them
.store .mail_out       connections, made when they are first used
.ports()               all of it, for the engine
.serve() .deploy()     Prefect, imported when it is first used
"""

import getpass
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from crm.schema import SCHEMA
from flows.functions import FUNCTIONS
from flows.settings import FILE, Settings, read
from procession.effects import Recipient
from procession.errors import ConfigurationError, InputError
from procession.records import Ref, Schema, ref_of

if TYPE_CHECKING:
    from crm.store import CrmStore
    from flows.children import Children
    from procession.application import Checkup, Deployed, Imported, ImportOptions, Running
    from procession.compile import Folder
    from procession.definitions import StoredDefinitions
    from procession.mail import Templates
    from procession.plan import Plan
    from procession.ports import Actor, Clock, Delivery, MailOut, Ports, Renderer, Store
    from procession.publications import Asked, Published
    from procession.witness import Witness


def application(project: Path | None = None) -> "Application":
    """The application on a project folder; without one, on that of PROCESSION_PROJECT, else on the nearest
    folder upwards from here that has a `procession.toml` or a folder `processes`.

    Raises:
        ConfigurationError: there is no such folder, or a setting is wrong.
    """
    return Application(read(project or _nearest()))


def _nearest() -> Path:
    if named := os.environ.get("PROCESSION_PROJECT"):
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file() or (folder / "processes").is_dir():
            return folder
    raise ConfigurationError(
        f"there is no project in {here} or above it",
        hint="Make one with `procession init my-project`, or name one with --project DIR",
    )


@dataclass(frozen=True)
class Application:
    """Implements `flows.project.Project`. What is opened is opened once."""

    settings: Settings

    @property
    def project(self) -> Path:
        return self.settings.project

    @property
    def processes(self) -> Path:
        return self.settings.folder("processes")

    @property
    def template_folder(self) -> Path:
        return self.settings.folder("templates")

    @property
    def data(self) -> Path:
        return self.settings.folder("data")

    @property
    def shipped(self) -> Path:
        checkout = Path(__file__).parent.parent
        return checkout if (checkout / "processes").is_dir() else Path(sys.prefix) / "share" / "procession"

    @property
    def user(self) -> str:
        return self.settings.user or getpass.getuser()

    @property
    def timezone(self) -> ZoneInfo:
        return ZoneInfo(self.settings.timezone)

    @property
    def schema(self) -> Schema:
        return SCHEMA

    @property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        return FUNCTIONS

    @cached_property
    def clock(self) -> "Clock":
        from crm.clock import SystemClock

        return SystemClock()

    @cached_property
    def templates(self) -> "Templates":
        from procession.mail import Templates

        return Templates(_from_here(self.template_folder))

    def plans(self) -> "Mapping[str, Plan]":
        return self.files().usable()

    def files(self) -> "Folder":
        return self._files

    @cached_property
    def _files(self) -> "Folder":
        from procession.compile import read as read_folder

        return read_folder(_from_here(self.processes), self.templates, SCHEMA, FUNCTIONS)

    @cached_property
    def store(self) -> "CrmStore":
        from crm.store import open_store

        url = self.settings.database_url()
        file = url.removeprefix("sqlite:///")
        if file != url and not Path(file).exists():  # a slip in its name would be an empty database
            raise ConfigurationError(
                f"the database file {file} does not exist",
                hint="Make it with `procession init`, or change the database setting.",
            )
        return open_store(url)

    @cached_property
    def witness(self) -> "Witness":
        """Beside a SQLite file; else in the data folder."""
        from procession.witness import Witness

        url = self.settings.database_url()
        file = url.removeprefix("sqlite:///")
        return Witness(Path(file) if file != url else self.data / "database")

    @property
    def redirect_all_to(self) -> str:
        return self.settings.mail.redirect_all_to

    @cached_property
    def mail_out(self) -> "MailOut":
        from procession.transports.redirected import RedirectedMailOut
        from procession.transports.smtp import SmtpMailOut, SmtpSettings

        smtp = self.settings.smtp
        if not smtp.host:
            return NoMailServer()
        server = SmtpMailOut(SmtpSettings(
            smtp.host, smtp.port, smtp.security, smtp.user, self.settings.smtp_password if smtp.password else None,
            ca_file=self.project / smtp.ca_file if smtp.ca_file else None, connections=smtp.connections,
            timeout=timedelta(seconds=smtp.timeout_seconds), per_second=smtp.per_second,
        ))  # fmt: skip
        return RedirectedMailOut(server, self.redirect_all_to) if self.redirect_all_to else server

    def ports(self, *, store: "Store | None" = None, mail_out: "MailOut | None" = None) -> "Ports":
        from procession.engines import Membership
        from procession.ports import Ports

        name, address = parseaddr(self.settings.default_sender)
        engine = Membership(store) if store else Membership(self.store, witness=self.witness)
        store = store or self.store
        return Ports(
            store=store, mail_out=mail_out or self.mail_out, clock=self.store.clock,
            renderer=self._children.renderer, engine=engine, mail_domain=self.settings.mail_domain,
            default_sender=Recipient(address, name), functions=self._children.functions(),
            redirect_all_to=self.redirect_all_to, timezone=self.timezone,
        )  # fmt: skip

    @property
    def renderer(self) -> "Renderer":
        return self._children.templates(_from_here(self.template_folder))

    def warm_up(self) -> None:
        self._children.warm_up()

    @cached_property
    def _children(self) -> "Children":
        from flows.children import Children

        return Children(self.settings)

    def close(self) -> None:
        for name in ("_children", "mail_out", "store"):
            if opened := self.__dict__.pop(name, None):
                opened.close()

    @property
    def publishes(self) -> bool:
        return self.settings.database.startswith("sqlite:")

    def publish(self, asked: "Asked") -> "Published":
        from procession.publications import publish

        files = self.files()
        self.definitions.know(files.plans.values())
        return publish(self.store, files, self._folder_name, self.clock.now(), asked)

    def retire(self, process: str) -> bool:
        from procession.publications import retire

        return retire(self.store, process, self._folder_name, self.clock.now())

    @property
    def _folder_name(self) -> str:
        """Among all folders that publish to the store."""
        return f"{socket.gethostname()}:{self.processes.resolve()}"

    @cached_property
    def definitions(self) -> "StoredDefinitions":
        from procession.compile import compile_files
        from procession.definitions import StoredDefinitions

        return StoredDefinitions(self.store, lambda files: compile_files(files, SCHEMA, FUNCTIONS))

    def upgrade(self) -> None:
        from crm.migrate import upgrade

        upgrade(self.settings.database_url())

    def load_sample(self) -> Mapping[str, int]:
        from crm.sample import load

        with self.store.unit(write=False) as unit:
            if any(unit.records.find(entity, {}, limit=1) for entity in SCHEMA.entities):
                raise InputError("the store holds records already, so no sample data was added")
        counts = Counter(ref.entity for ref in load(self.store, self.clock.now()).values())
        self.forget_events()
        return counts

    def save_meetings(self, count: int) -> list[Ref]:
        from crm.sample import save_meetings

        now = self.clock.now()
        return save_meetings(self.store, count, now) if count > 1 else [first_meeting(self.store, now)]

    def import_csv(self, entity: str, file: Path, actor: "Actor", how: "ImportOptions") -> "Imported":
        from crm.importing import Options, import_csv
        from procession.application import Imported

        options = Options(dry_run=how.dry_run, zone=how.zone or self.settings.timezone, progress=how.progress)
        done = import_csv(self.store, entity, file, actor, options)
        problems = tuple((problem.row, problem.column, problem.message) for problem in done.problems)
        return Imported(entity, done.rows, problems, done.saved, done.earlier)

    def forget_events(self) -> None:
        """Let the saves so far start nothing: they are sample data, not news."""
        with self.store.unit() as unit:
            while events := unit.journal.pending(1000):
                unit.journal.dispatched([event.id for event in events], self.clock.now())
            unit.commit()

    def checkups(self) -> "Iterator[Checkup]":
        from flows.checkups import checkups

        return checkups(self)

    def deploy(self, asked: "Asked") -> "Deployed":
        from flows.deploy import deploy

        return deploy(self, asked)

    @contextmanager
    def serve(self, *, publish: bool | None = None) -> "Iterator[Running]":
        from flows.engine import serve

        with self._children.at_work(), serve(self, publish=publish) as running:
            yield running


def first_meeting(store: "CrmStore", now: datetime) -> Ref:
    """A meeting of the sample data's Bob and Nora, in three days at ten where she is.

    Raises:
        InputError: the sample data is not there.
    """
    from crm.sample import Meeting, save_meeting

    with store.unit(write=False) as unit:
        found = unit.records.find("opportunity", {"name": "Cold chain monitoring"}, limit=1)
        about = unit.records.fetch([ref_of(one) for one in found], ABOUT)
    for opportunity in about.values():
        contact = opportunity.contact
        start = (
            (now + timedelta(days=3))
            .astimezone(ZoneInfo(contact.timezone))
            .replace(hour=10, minute=0, second=0, microsecond=0)
        )
        refs = {name: ref_of(getattr(opportunity, name)) for name in ("account", "owner")}
        return save_meeting(
            store,
            Meeting("Cold chain: questions and answers", start, ref_of(contact), ref_of(opportunity), **refs),
        )
    raise InputError("there are no opportunities to meet about", hint="Load the sample data first.")


ABOUT = frozenset({("contact",), ("account",), ("owner",)})


class NoMailServer:
    """Implements `procession.ports.MailOut` where none is set: whatever needs no mail works all the same."""

    connections = 1

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> "Delivery":
        del sender, recipients, mime
        raise ConfigurationError(
            "no mail server is set, so nothing can be sent",
            hint=f"Set PROCESSION_SMTP_HOST, or host below [smtp] in {FILE}.",
        )

    def close(self) -> None:
        """Nothing is open."""


def _from_here(folder: Path) -> Path:
    """As people name it who are here: what is told of its files is short, and can be opened."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
