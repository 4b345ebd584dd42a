"""What the operator sets: environment variables `PROCESSION_…`, then `procession.toml` in the project folder.

A secret is never a value here: it is a reference (`env:NAME` or `file:/path`) that is looked up when a
connection is made, so that settings can be printed, logged and committed. Every setting has a default
that works on one machine without any set-up, except the mail server: nobody can guess that.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from flows.limits import Functions, Rendering
from procession import times
from procession.errors import ConfigurationError
from procession.spelling import did_you_mean

PREFIX = "PROCESSION_"
FILE = "procession.toml"
OTHER_VARIABLES = ("PROCESSION_PROJECT",)
"""Variables of ours that are no settings: where the project is, which says where the settings are."""

WHERE_SECRETS_ARE = "Write env:NAME for an environment variable, or file:/path for a file that holds it."


def _reference(value: str) -> str:
    """Raises ValueError, without the value: it may be a password."""
    kind, _, name = value.partition(":")
    if value and (kind not in ("env", "file") or not name):
        raise ValueError("must name where the secret is, and not be the secret")
    return value


def _without_password(url: str) -> str:
    """Raises ValueError for a URL that holds its password, or that is no database URL."""
    if not url.startswith(("sqlite:///", "postgresql://")):
        raise ValueError("must start with sqlite:/// or postgresql://")
    if url == "sqlite:///":
        raise ValueError("must name a file: sqlite:///.procession/procession.sqlite")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises
    except ValueError:
        raise ValueError("must be a URL like postgresql://user@host:5432/name") from None
    if parts.password or any("password" in name for name, _ in parse_qsl(parts.query)):
        raise ValueError("must not hold a password; set database_password to say where it is")
    return url


def _host(value: str) -> str:
    """Raises ValueError for what is no name and no address, such as one with its port."""
    labels = value.removesuffix(".").split(".")
    if value and not (_is_address(value) or all(re.fullmatch(r"[\w-]{1,63}", label) for label in labels)):
        raise ValueError("must be a name or an address alone, like mail.example.com; the port is smtp.port")
    return value


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line of text")
    return value


def _address_of_api(value: str) -> str:
    parts = urlsplit(value)
    if value and not (parts.scheme in ("http", "https") and parts.netloc):
        raise ValueError("must be like http://127.0.0.1:4200/api")
    return value


def _domain(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", value):
        raise ValueError("must be a domain, like example.com")
    return value


def _sender(value: str) -> str:
    if not all(part for part in parseaddr(value)[1].partition("@")) or not value.isprintable():
        raise ValueError("must be a name and an address, like Sales <sales@example.com>")
    return value


def _zone(value: str) -> str:
    try:
        times.zone(value)
    except ValueError as error:
        raise ValueError(f"must be a time zone: {error}") from None
    return value


def _one_address(value: str) -> str:
    if value and not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", value):
        raise ValueError("must be one address alone, like tests@example.com")
    return value


Secret = Annotated[str, AfterValidator(_reference)]
"""`env:NAME`, `file:/path`, or "" for none."""

Line = Annotated[str, AfterValidator(_line)]


class Smtp(BaseModel):
    """The mail server. Without `host` nothing can be sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, AfterValidator(_host)] = Field("", description="Name or address of the mail server.")
    port: int = Field(587, ge=1, le=65535, description="Port; 587 for starttls, 465 for tls, 25 for none.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is encrypted; none only for a server on this machine."
    )
    user: Line = Field("", description="Who logs in; empty for a server that asks nobody.")
    password: Secret = Field("", description="Where the password is: env:NAME or file:/path.")
    ca_file: str = Field("", description="Certificates to trust besides the system's, a PEM file.")
    per_second: float = Field(0, ge=0, description="At most so many mails a second; 0 is no limit.")
    connections: int = Field(
        4, ge=1, le=50, description="How many connections are kept open at the same time."
    )
    timeout_seconds: float = Field(
        30,
        gt=0,
        le=600,
        description="How long the server may be silent; one mail takes at most 12 minutes in all.",
    )


class Mail(BaseModel):
    """What holds for all mail."""

    model_config = ConfigDict(
        extra="ignore", frozen=True
    )  # PROCESSION_MAIL_DOMAIN reads like a `domain` in here

    redirect_all_to: Annotated[str, AfterValidator(_one_address)] = Field(
        "",
        description="For test systems: every mail goes to this one address, and names those it was for in X-Original-To.",
    )


class Prefect(BaseModel):
    """The Prefect server that shows the runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_url: Annotated[str, AfterValidator(_address_of_api)] = Field(
        "", description="Address of the API (…/api). Empty: PREFECT_API_URL, else a server is started."
    )
    port: int = Field(
        4200, ge=0, le=65535, description="Port of the server that is started; 0 takes a free one."
    )
    patience_seconds: float = Field(
        5, gt=0, le=120, description="How long Prefect may take to answer; else it shows the runs later."
    )


class Settings(BaseSettings):
    """All settings of a project. `project` is its folder; the rest is read from there and the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="_", env_nested_max_split=1, extra="forbid", frozen=True
    )

    project: Path = Field(Path(), exclude=True)
    database: Annotated[str, AfterValidator(_without_password)] = Field(
        "sqlite:///.procession/procession.sqlite",
        description="URL of the database: sqlite:///file (from the project folder) or postgresql://user@host/name.",
    )
    database_password: Secret = Field("", description="Where its password is: env:NAME or file:/path.")
    data: Path = Field(Path(".procession"), description="Folder for what is made while running.")
    processes: Path = Field(Path("processes"), description="Folder of the process definitions.")
    templates: Path = Field(Path("templates"), description="Folder of the mail templates.")
    smtp: Smtp = Smtp()
    mail: Mail = Mail()
    mail_domain: Annotated[str, AfterValidator(_domain)] = Field(
        "procession.localhost", description="Domain of Message-IDs: one that is yours."
    )
    default_sender: Annotated[str, AfterValidator(_sender)] = Field(
        "Procession <procession@localhost>",
        description="From whom mails are that name no sender: Name <address>.",
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC",
        description="Time zone of moments that name none, where neither the record nor its owner has one; such as Europe/Berlin.",
    )
    user: Line = Field("", description="Your name in History; empty: the one you are logged in with.")
    prefect: Prefect = Prefect()
    executor: Literal["in_process"] = Field(
        "in_process", description="Where runs happen; this version knows in_process only."
    )
    rendering: Rendering = Rendering()
    functions: Functions = Functions()
    batch: int = Field(200, ge=1, le=10_000, description="How many instances are worked on at a time.")
    workers: int = Field(3, ge=1, le=32, description="Work done side by side; no process has all of them.")

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file; `read` hands the file over as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    def folder(self, name: Literal["data", "processes", "templates"]) -> Path:
        """A folder of the project, absolute."""
        path: Path = getattr(self, name)
        return self.project / path

    def database_url(self) -> str:
        """The URL with the file's absolute path, or with its password; not for the eyes of people.

        Raises:
            ConfigurationError: the password is not where the settings say.
        """
        if self.database.startswith("sqlite:"):
            file = self.database.removeprefix("sqlite:///")
            return f"sqlite:///{self.project / file}"
        password = secret(self.database_password, "database_password", self.project)
        parts = urlsplit(self.database)
        if not password:
            return self.database
        user = f"{parts.username or ''}:{quote(password, safe='')}@"
        return urlunsplit(parts._replace(netloc=user + parts.netloc.rpartition("@")[2]))

    def smtp_password(self) -> str:
        """Raises:
        ConfigurationError: the password is not where the settings say.
        """
        return secret(self.smtp.password, "smtp.password", self.project)


def read(project: Path) -> Settings:
    """The settings of the project in this folder.

    Raises:
        ConfigurationError: the folder is missing, the file is not TOML, or a setting is unknown or wrong.
    """
    folder = project.expanduser().absolute()
    if not folder.is_dir():
        raise ConfigurationError(
            f"the project folder {folder} does not exist", hint="Make one with: procession init"
        )
    _refuse_unknown({name: f"the environment variable {name}" for name in _variables()})
    written = _from_file(folder / FILE)
    _refuse_unknown({name: f"{name!r} in {FILE}" for name in _keys(written)})
    try:
        return Settings(project=folder, **written)
    except ValidationError as error:
        message, hint = _sentence(error)
        raise ConfigurationError(message, hint=hint) from None


def secret(reference: str, setting: str, project: Path) -> str:
    """The secret behind `env:NAME` or `file:/path` (relative to the project); "" for no reference.

    Raises:
        ConfigurationError: there is no such variable or file. The message names the reference only.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        if name not in os.environ:
            raise ConfigurationError(
                f"{setting} is {reference}, but the environment variable {name} is not set",
                hint=f"Set {name} before you start, or change {setting}.",
            )
        return os.environ[name]
    if kind == "file":
        try:
            return (project / Path(name).expanduser()).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{setting} is {reference}, but that file cannot be read: {getattr(error, 'strerror', 'no text')}"
            ) from None
    return ""


def described() -> Iterator[tuple[str, str, str, str]]:
    """Every setting as (name in the file, environment variable, default, description)."""
    yield from _described(Settings, "")


def _described(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _described(kind, f"{name}.")
        elif not field.exclude:
            full = prefix + name
            variable = PREFIX + full.replace(".", "_").upper()
            yield full, variable, str(field.default), field.description or ""


def _known() -> dict[str, str]:
    """`{environment variable: name in the file}` of every setting."""
    return {variable: name for name, variable, _, _ in described()}


def _variables() -> list[str]:
    """Environment variables of ours that are no settings."""
    known = {*_known(), *OTHER_VARIABLES}
    return [name for name in os.environ if name.startswith(PREFIX) and name not in known]


def _keys(written: dict[str, Any]) -> list[str]:
    """Keys of the file that are no settings."""
    known = set(_known().values())
    tables = {name.partition(".")[0] for name in known if "." in name}
    found: list[str] = []
    for key, value in written.items():
        names = [f"{key}.{k}" for k in value] if key in tables and isinstance(value, dict) else [key]
        found += [name for name in names if name not in known and name not in tables]
    return found


def _refuse_unknown(unknown: Mapping[str, str]) -> None:
    """Args:
    unknown: `{name: how to call it}`.
    """
    known = _known()
    for name, called in sorted(unknown.items()):
        guess = did_you_mean(name, known if name.startswith(PREFIX) else known.values())
        raise ConfigurationError(
            f"{called} is no setting of Procession", hint=guess or "See docs/reference/settings.md."
        )


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} is not TOML: {error}", hint='A line looks like this: mail_domain = "example.com"'
        ) from None


def _sentence(error: ValidationError) -> tuple[str, str]:
    """The first problem and a hint, without the value that was met (it may be a secret)."""
    problem = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in problem["loc"])
    entry = next((entry for entry in described() if entry[0] == name), None)
    variable = entry[1] if entry else PREFIX + name.upper()
    who = f"the environment variable {variable}" if variable in os.environ else f"the setting {name}"
    hint = WHERE_SECRETS_ARE if name.endswith("password") else entry[3] if entry else ""
    return f"{who} {_must(problem)}", hint


def _must(problem: ErrorDetails) -> str:
    context = problem.get("ctx", {})
    match problem["type"]:
        case "int_parsing" | "int_type" | "int_from_float":
            return "must be a whole number"
        case "float_parsing" | "float_type":
            return "must be a number"
        case "string_type" | "path_type":
            return "must be text"
        case "literal_error":
            return f"must be {context['expected']}"
        case "greater_than" | "greater_than_equal":
            return f"must be {'more than' if 'gt' in context else 'at least'} {context.get('gt', context.get('ge'))}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "model_type" | "model_attributes_type":
            return "is a table: write its settings below a line with its name in brackets"
        case "value_error":
            return str(context["error"])
        case _:
            return f"is not right: {problem['msg']}"
