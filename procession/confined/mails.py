"""Mail templates as the engine has them: what fills them is a child process, and dies alone.

A mail that crashes the child, takes too long or too much memory is an error of that mail. One that broke a child which
was killed from outside, or had become big before, is tried once more in a fresh one.
"""

import hashlib
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import TemplateError

from procession.confined.child import Broken
from procession.confined.errors_as_data import error_from_data
from procession.confined.filling import Fill
from procession.confined.pool import Pool
from procession.effects import Attachment, Recipient
from procession.errors import PermanentError
from procession.expressions import ALL
from procession.mail import Templates, invitation
from procession.ports import Rendered
from procession.records import Record


@dataclass(frozen=True, slots=True)
class _Used:
    """What a template takes from outside: names, and the steps whose outputs it reads."""

    names: frozenset[str]
    steps: frozenset[str]


class ConfinedTemplates:
    """Implements `procession.ports.Renderer`; safe to use from several threads. `label` stands for the folder in
    messages."""

    def __init__(self, files: Mapping[str, str], pool: Pool, *, label: str = "templates") -> None:
        self._files, self._pool, self._label = dict(files), pool, label
        written = json.dumps([label, sorted(self._files.items())])
        self._version = hashlib.sha256(written.encode()).hexdigest()
        self._used: dict[str, _Used | None] = {}

    def render(self, template: str, names: Mapping[str, Any], *, language: str, timezone: str) -> Rendered:
        """See `procession.mail.Templates.render`.

        Raises:
            PermanentError: filling it ended the process that did, or took too long or too much.
        """
        given = self._needed(template, names)
        now = given.pop("now", None)
        moment = now() if callable(now) else now
        asked = Fill(self._version, self._label, self._files, template, given, moment, language, timezone)
        answer = self._asked(asked, lambda known: self._version in known)
        if "unknown" in answer:  # it had so many other versions to fill since then
            answer = self._asked(asked, lambda _known: False)
        return Rendered(*answer["mail"])

    def invitation(self, meeting: Record, *, sender: Recipient, to: Sequence[Recipient]) -> Attachment:
        """See `procession.mail.invitation`. Written here: no author's text decides how long it takes."""
        return invitation(meeting, sender=sender, to=to)

    def _asked(self, fill: Fill, has_files: Callable[[set[str]], bool]) -> dict[str, Any]:
        def request(known: set[str]) -> bytes:
            files = None if has_files(known) else fill.files
            known.add(fill.version)
            return pickle.dumps(replace(fill, files=files))

        try:
            answer: dict[str, Any] = json.loads(self._pool.ask(request))
        except Broken as broken:
            message = f"mail template {fill.template!r} cannot be filled: {broken.why}"
            raise PermanentError(message, hint=HINT) from broken
        if "error" in answer:
            raise error_from_data(answer)
        return answer

    def _needed(self, template: str, names: Mapping[str, Any]) -> dict[str, Any]:
        """An instance may hold lists of thousands of records: what no file of the mail reads stays here."""
        if template not in self._used:
            self._used[template] = self._uses(template)
        used = self._used[template]
        if used is None:
            return dict(names)
        given = {name: value for name, value in names.items() if name in used.names}
        outputs = given.get("outputs")
        if isinstance(outputs, dict) and ALL not in used.steps:
            given["outputs"] = type(outputs)((step, outputs[step]) for step in used.steps & outputs.keys())
        return given

    def _uses(self, template: str) -> _Used | None:
        """None if a file cannot be read, which the child will say."""
        templates = Templates.of_files(self._files)
        try:
            return _Used(templates.names_used(template), templates.steps_named(template))
        except (TemplateError, RecursionError):
            return None


HINT = "Look for loops inside of loops, for texts that double, and for HTML that is thousands of tags deep."
