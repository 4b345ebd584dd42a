"""What an application is to those who use it, the command line before all, and how they find it.

The application is the customer's: it says where the project is, opens the store, and starts servers. It
registers a function `application(project: Path | None) -> Application` as the entry point `application` of
the group `procession`; `flows.wiring` is ours. So the engine imports no table and no Prefect, and
`procession check` does not wait for either.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import tzinfo
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from procession.errors import ConfigurationError
from procession.ports import Actor, Clock, MailOut, Ports, Renderer, Store
from procession.records import Ref, Schema

if TYPE_CHECKING:  # these read templates and expressions: half a second that `--help` need not wait for
    from procession.compile import Folder
    from procession.definitions import Definitions
    from procession.mail import Templates
    from procession.plan import Plan
    from procession.publications import Asked, Published
    from procession.witness import Witness

Progress = Callable[[int, int], None]
"""Called with (done, of how many) while something long goes on."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do: rows of the file, what is wrong as (row, column, sentence), and how many rows are
    saved; `earlier`: by an import that broke off."""

    entity: str
    rows: int
    problems: tuple[tuple[int, str, str], ...] = ()
    saved: int = 0
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`dry_run` saves nothing; `zone` is that of times which say none."""

    dry_run: bool
    zone: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class Deployed:
    """What `deploy` published, and wrote to `prefect.yaml`: the processes there, and which are new, changed or gone."""

    file: Path
    processes: tuple[str, ...]
    changes: tuple[str, ...]
    published: "Published"


@dataclass(frozen=True, slots=True)
class Checkup:
    """One thing the doctor looked at. `mend` says what to do if it is not well."""

    what: str
    state: Literal["well", "unwell", "not set up"]
    found: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class FlowRun:
    """A run as Prefect has it. `state` is Prefect's type of state (`COMPLETED`)."""

    id: str
    name: str
    state: str
    ended: bool
    url: str


class Running(Protocol):
    """A running engine."""

    @property
    def ui_url(self) -> str:
        """Where the Prefect UI is; "" without Prefect."""
        ...

    @property
    def processes(self) -> Collection[str]:
        """Those whose current version it runs."""
        ...

    def wait(self) -> None:
        """As long as the engine works.

        Raises:
            ConfigurationError: it ended by itself.
        """
        ...

    def flow_runs(self, ids: Collection[str]) -> list[FlowRun]:
        """Flow runs by their ids, as far as Prefect knows them.

        Raises:
            TemporaryError: Prefect does not answer.
        """
        ...


class Application(Protocol):
    """A project, opened as far as it is used: reading a property opens what it names, once."""

    @property
    def project(self) -> Path: ...
    @property
    def processes(self) -> Path: ...
    @property
    def template_folder(self) -> Path: ...
    @property
    def data(self) -> Path:
        """The folder for what is made while running."""
        ...

    @property
    def shipped(self) -> Path:
        """The folder with the processes and templates that come along."""
        ...

    @property
    def user(self) -> str:
        """Who sits here, as History calls them."""
        ...

    @property
    def timezone(self) -> tzinfo:
        """Of moments that name no zone, where neither their record nor its owner has one."""
        ...

    @property
    def schema(self) -> Schema: ...
    @property
    def clock(self) -> Clock: ...

    @property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """What `call` steps may call, by name."""
        ...

    @property
    def templates(self) -> "Templates":
        """Raises:
        ConfigurationError: the folder of templates cannot be read.
        """
        ...

    @property
    def renderer(self) -> Renderer:
        """What fills the `templates` of the project, in a process of its own.

        Raises:
            ConfigurationError: the folder of templates cannot be read.
        """
        ...

    def warm_up(self) -> None:
        """Mail templates are about to be filled: let the process that does it start while others read on."""
        ...

    def files(self) -> "Folder":
        """The processes as the files of the project have them.

        Raises:
            ConfigurationError: the folder of processes or of templates cannot be read.
        """
        ...

    def plans(self) -> "Mapping[str, Plan]":
        """Those of `files`, if all of them can be used.

        Raises:
            ProcessErrors: all problems of all definitions.
        """
        ...

    @property
    def store(self) -> Store:
        """Raises:
        ConfigurationError: the database cannot be reached or is not up to date.
        """
        ...

    @property
    def witness(self) -> "Witness":
        """What is known of the database outside of it."""
        ...

    @property
    def redirect_all_to(self) -> str:
        """The one address that all mail of a test system goes to; "" if it goes to those it is for."""
        ...

    @property
    def mail_out(self) -> MailOut:
        """Where no mail server is set, sending raises a ConfigurationError."""
        ...

    def ports(self, *, store: Store | None = None, mail_out: MailOut | None = None) -> Ports:
        """The world for the engine, with other parts in place of the project's own where given."""
        ...

    @property
    def publishes(self) -> bool:
        """Whether the files are published whenever an engine starts; otherwise `deploy` does it. So it is where one
        folder and one database belong together."""
        ...

    def publish(self, asked: "Asked") -> "Published":
        """Make the files' versions of the processes current where they are new."""
        ...

    def retire(self, process: str) -> bool:
        """Have no version of this process current; False if none is."""
        ...

    @property
    def definitions(self) -> "Definitions":
        """The versions of processes that the store has; the current ones once they are refreshed."""
        ...

    def upgrade(self) -> None:
        """Make the tables of the database, or bring them up to date."""
        ...

    def load_sample(self) -> Mapping[str, int]:
        """Fill an empty store with sample records, which start nothing; returns how many of each entity.

        Raises:
            InputError: the store holds records already.
        """
        ...

    def save_meetings(self, count: int) -> list[Ref]:
        """Save so many meetings in one transaction, with sample contacts and opportunities.

        Raises:
            InputError: the sample data is not there.
        """
        ...

    def import_csv(self, entity: str, file: Path, actor: Actor, how: ImportOptions) -> Imported:
        """Import records from a CSV file; nothing is saved of one in which anything is wrong.

        Raises:
            InputError: the file or its header line cannot be read.
        """
        ...

    def close(self) -> None:
        """Close what was opened; it opens again when it is used again."""
        ...

    def checkups(self) -> Iterator[Checkup]:
        """Try every connection, one after the other."""
        ...

    def deploy(self, asked: "Asked") -> Deployed:
        """Publish all files, and keep `prefect.yaml` in step with what is current then.

        Raises:
            ProcessErrors: a file cannot be used; nothing is published.
        """
        ...

    def serve(self, *, publish: bool | None = None) -> AbstractContextManager[Running]:
        """The engine, with a Prefect server unless the settings name one; it works while the context is open.
        `publish`: whether to do so first; None: if the application `publishes` by itself."""
        ...


def load(project: Path | None, names: Collection[str] = ("application",)) -> Application:
    """Open the installed application on a project folder.

    Raises:
        ConfigurationError: no application is installed, or its settings are wrong.
    """
    found = [entry for entry in entry_points(group="procession") if entry.name in names]
    if not found:
        raise ConfigurationError(
            "no application is installed: nothing says which store and which settings to use",
            hint="Install this checkout: python3 .ci/dev.py run --help",
        )
    application: Application = found[0].load()(project)
    return application
