"""What one call of the command line carries along: the global options, and the application once it is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from procession.application import Application, load
from procession.cli import output
from procession.errors import ConfigurationError, InputError, ProcessError, ProcessErrors
from procession.ports import Actor
from procession.records import Ref, Schema
from procession.spelling import count, did_you_mean, one_of

if TYPE_CHECKING:
    from procession.inputs import Caller
    from procession.plan import Plan


@dataclass(frozen=True)
class Session:
    """`project` is None where the caller named none: the application looks for it from here upwards."""

    project: Path | None = None
    debug: bool = False

    @cached_property
    def application(self) -> Application:
        return load(self.project)

    def close(self) -> None:
        """Close what was opened."""
        if "application" in self.__dict__:
            self.application.close()

    @property
    def actor(self) -> Actor:
        """Who sits here, for History."""
        return Actor("user", self.application.user)

    @property
    def caller(self) -> "Caller":
        """For moments that somebody types."""
        from procession.inputs import Caller

        return Caller(self.application.clock.now(), self.application.timezone)

    def plan(self, name: str) -> "Plan":
        """A process by its id, as its file has it.

        Raises:
            InputError: there is no such process.
            ProcessErrors: its file cannot be used as written.
        """
        files = self.application.files()
        _refuse_broken(name, files.problems)
        if name not in files.plans:
            raise InputError(f"there is no process {name!r}", hint=_instead(name, files.plans, "process"))
        return files.plans[name]

    def current(self, name: str) -> "Plan":
        """The current version of a process; that of its file if the application publishes by itself.

        Raises:
            InputError: no version of such a process is current.
            ProcessErrors: its file is to be published, and cannot be used as written.
            ConfigurationError: this program cannot run the current version.
        """
        from procession.publications import Asked

        application = self.application
        if application.publishes:
            _refuse_broken(name, application.files().problems)
        published = application.publish(Asked(dry_run=not application.publishes))
        definitions = application.definitions
        definitions.refresh()
        if why := definitions.unusable.get(name):
            raise ConfigurationError(f"this program cannot run {name!r}: {why}")
        change = published.of(name)
        if change and change.what == "new" and published.done:
            change = None
        if name in definitions.plans:
            if change:
                output.note(f"{published.sentence(change)}.")
            return definitions.plans[name]
        if change:
            back = " --back" * (change.what == "older")
            raise InputError(published.sentence(change), hint=f"Publish it with: procession deploy{back}")
        raise InputError(f"there is no process {name!r}", hint=_instead(name, definitions.plans, "process"))

    def ref(self, text: str, *, of: tuple[str, ...] = ()) -> Ref:
        """A record that is written `contact:3`; `of` names the entities that will do.

        Raises:
            InputError: it is not written so, or is of no such entity.
        """
        ref = Ref.parse(text)
        known = of or tuple(self.application.schema.entities)
        if ref.entity not in known:
            hint = did_you_mean(ref.entity, known) or f"It must be of {one_of(known)}."
            raise InputError(f"{text!r} names no record that will do here", hint=hint)
        return ref


def session(context: typer.Context) -> Session:
    """The session of this call."""
    return cast(Session, context.find_root().obj)


def _refuse_broken(name: str, problems: Mapping[str, tuple[ProcessError, ...]]) -> None:
    if found := problems.get(name):
        raise ProcessErrors(f"{count(len(found), 'problem')} in the file of {name!r}.", problems=found)


def _instead(name: str, known: object, noun: str) -> str:
    names = sorted(cast("dict[str, object]", known))
    if guess := did_you_mean(name, names):
        return guess
    return f"There is {one_of(names)}." if names else f"The project has no {noun} yet."


def entity_of(name: str, schema: Schema) -> str:
    """An entity by its name, `meeting` and the other kinds of activity excluded.

    Raises:
        InputError: there is no such entity.
    """
    singular = name.removesuffix("s") if name not in schema.entities else name
    singular = {"opportunitie": "opportunity", "activitie": "activity"}.get(singular, singular)
    if singular not in schema.entities:
        hint = did_you_mean(name, schema.entities) or f"There is {one_of(schema.entities)}."
        raise InputError(f"there is no entity {name!r}", hint=hint)
    return singular
