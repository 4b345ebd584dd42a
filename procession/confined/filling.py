"""In the child: mail templates are filled, as `procession.mail.Templates` does it.

A request is a pickled `Fill`, which the engine itself wrote. An answer is JSON: `{"mail": [subject, text, html, language]}`,
an error, or `{"unknown": true}` for templates that were not sent along and are not kept any more.
"""

import json
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from procession.confined.errors_as_data import error_to_data
from procession.errors import ProcessionError, foreseen
from procession.mail import Templates

KEPT = 256
"""Versions of processes whose templates are kept."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A mail of the templates called `version`. `files` are they, `{path: text}` below `label`, or None if the child has
    them. `now` is what `now()` says."""

    version: str
    label: str
    files: Mapping[str, str] | None
    template: str
    names: Mapping[str, Any]
    now: datetime | None
    language: str
    timezone: str


def filling() -> Callable[[bytes], bytes]:
    """What answers requests."""
    known: OrderedDict[str, Templates] = OrderedDict()

    def answer(request: bytes) -> bytes:
        try:
            with foreseen("the filling of a mail template"):
                asked: Fill = pickle.loads(request)  # noqa: S301  # the engine wrote it
            done = _filled(asked, known)
        except ProcessionError as error:
            done = error_to_data(error)
        return json.dumps(done).encode()

    return answer


def _filled(asked: Fill, known: OrderedDict[str, Templates]) -> dict[str, Any]:
    with foreseen(f"mail template {asked.template!r}"):
        if asked.version not in known:
            if asked.files is None:
                return {"unknown": True}
            known[asked.version] = Templates(Path(asked.label), files=asked.files)
            if len(known) > KEPT:
                known.popitem(last=False)
        known.move_to_end(asked.version)
        names = asked.names if asked.now is None else {**asked.names, "now": lambda: asked.now}
        mail = known[asked.version].render(
            asked.template, names, language=asked.language, timezone=asked.timezone
        )
        return {"mail": [mail.subject, mail.text, mail.html, mail.language]}
