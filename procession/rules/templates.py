"""Mail templates are there, and everything they name can be seen where they are used."""

import re
from collections.abc import Iterable

from procession.errors import ProcessError, ReferenceProblem
from procession.model import path_in_words
from procession.rules.literals import placed_results
from procession.rules.typed import Typed, World, problem
from procession.spelling import did_you_mean


def templates_are_there(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    known = world.templates.names()
    for found in typed.leaves:
        if found.leaf.path[-2:] != ("send_email", "template"):
            continue
        begin = found.leaf.spans[0][1] if found.leaf.spans else 0
        for name, offset in placed_results(found.leaf.value):
            if name not in known:
                hint = did_you_mean(name, known) or f"There is {', '.join(known)}."
                inside = begin + offset + (1 if found.leaf.spans else 0)  # behind the quote
                yield problem(
                    typed.draft, f"there is no mail template {name!r}", found.leaf.path, hint, offset=inside
                )


def templates_fit_where_they_are_used(typed: Typed, _world: World) -> Iterable[ProcessError]:
    for mail in typed.mails:
        used = f"{typed.draft.process}/{path_in_words(typed.draft.document, mail.step.where)}"
        for found in mail.problems:
            missing = re.fullmatch(r"there is no '(\w+)' here", found.message)
            hint = (
                f"Give it in the step: `with: {{{missing[1]}: …}}`."
                if missing and not found.hint
                else found.hint
            )
            yield type(found)(found.message, at=found.at, path=used, hint=hint)
