"""A text that reads like an expression: the author forgot the braces, and it would be taken word for word."""

import re
from collections.abc import Iterable

from procession.errors import ReferenceProblem
from procession.expressions import check
from procession.rules.typed import Typed, TypedLeaf, World, problem

_PATH = re.compile(r"[a-z_]\w*(\.[a-z_]\w*)+")


def texts_are_no_forgotten_expressions(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    """`subject: meeting.subject` leads somewhere here, so it is never meant as it stands."""
    del world
    for found in typed.leaves:
        text = found.leaf.value
        if isinstance(text, str) and _takes_any_text(found) and _leads_somewhere(text, found):
            message = f"{text!r} is taken word for word here"
            yield problem(typed.draft, message, found.leaf.path, f'Write "{{{{ {text} }}}}".', offset=0)


def _takes_any_text(found: TypedLeaf) -> bool:
    """Other fields say by themselves what they miss, an address or a record."""
    wants = found.leaf.wants
    return wants is None or ("text" in wants.types and not wants.of and found.leaf.path != ("timezone",))


def _leads_somewhere(text: str, found: TypedLeaf) -> bool:
    if not _PATH.fullmatch(text) or text.partition(".")[0] not in found.scope.names:
        return False
    return not check(text, found.scope).findings
