"""What one call of the command line carries along: the global options, and the application once it is used."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from procession.application import Application, load
from procession.errors import InputError
from procession.ports import Actor
from procession.records import Ref, Schema
from procession.spelling import did_you_mean, one_of

if TYPE_CHECKING:
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

    def plan(self, name: str) -> "Plan":
        """A process by its id.

        Raises:
            InputError: there is no such process.
            ProcessErrors: the processes of the project cannot be used as written.
        """
        plans = self.application.plans()
        if name not in plans:
            raise InputError(f"there is no process {name!r}", hint=_instead(name, plans, "process"))
        return plans[name]

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
