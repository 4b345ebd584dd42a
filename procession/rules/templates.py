"""Mail templates are there, and everything they name can be seen where they are used."""

from collections.abc import Iterable

from procession.errors import ProcessError, ReferenceProblem
from procession.model import path_in_words
from procession.rules.literals import written_in
from procession.rules.missing import missing_names, misspelt_declaration
from procession.rules.typed import Typed, World, problem
from procession.spelling import did_you_mean


def templates_are_there(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    known = world.templates.names()
    for found in typed.leaves:
        if found.leaf.path[-2:] != ("send_email", "template"):
            continue
        for name, offset in written_in(found.leaf):
            if name not in known:
                hint = did_you_mean(name, known) or f"There is {', '.join(known)}."
                message = f"there is no mail template {name!r}"
                yield problem(typed.draft, message, found.leaf.path, hint, offset=offset)


def templates_fit_where_they_are_used(typed: Typed, _world: World) -> Iterable[ProcessError]:
    """A name that is missing is told once for a mail, and not at all if the process misses it as well."""
    known_missing = missing_names(typed)
    for mail in typed.mails:
        used = f"{typed.draft.process}/{path_in_words(typed.draft.document, mail.step.where)}"
        told = set(known_missing)
        for found in mail.problems:
            name = found.missing if isinstance(found, ReferenceProblem) else ""
            if name in told:
                continue
            told.add(name or str(found.at))
            declared = misspelt_declaration(typed, name) if name else None
            hint = found.hint or (f"Give it in the step: `with: {{{name}: …}}`." if name else "")
            yield declared or type(found)(found.message, at=found.at, path=used, hint=hint)
