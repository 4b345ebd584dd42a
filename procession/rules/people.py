"""Addresses that are written out are addresses."""

import re
from collections.abc import Iterable

from procession.errors import ReferenceProblem
from procession.rules.typed import Typed, World, problem

_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>.]+")
_FIELDS = ("to", "cc", "bcc", "from")


def addresses_are_addresses(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    for found in typed.leaves:
        names = [segment for segment in found.leaf.path if isinstance(segment, str)]
        text = found.leaf.value
        if not isinstance(text, str) or names[-1] not in _FIELDS or names[-2:-1] != ["send_email"]:
            continue
        address = text[text.find("<") + 1 : -1] if text.rstrip().endswith(">") else text.strip()
        if not _ADDRESS.fullmatch(address):
            named = text.split(".")[0] in found.scope.names
            hint = (
                f'Write "{{{{ {text} }}}}".' if named else 'Write anna@acme.example, or a contact: "{{ … }}".'
            )
            yield problem(typed.draft, f"{text!r} is no e-mail address", found.leaf.path, hint, offset=0)
