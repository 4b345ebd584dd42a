"""What a message or a signal may hold: it is found by its data, told in lists, and kept with those who take it."""

import json
from collections.abc import Mapping
from typing import Any

from procession.correlation import MOST_DATA
from procession.errors import PermanentError
from procession.values import to_json

LONGEST_NAME = 200
LARGEST_DATA = 100_000
"""Characters of JSON."""


def checked_data(name: str, data: Mapping[str, Any]) -> Any:
    """The data as JSON.

    Raises:
        PermanentError: the name is none, or it is too much.
    """
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise PermanentError(
            f"a message cannot be called {name[:40]!r}",
            hint=f"Give it a name of {LONGEST_NAME} printable characters at most.",
        )
    if len(data) > MOST_DATA:
        raise PermanentError(
            f"message {name!r} has {len(data):,} values",
            hint=f"Let it have {MOST_DATA} at most, or put them into a record.",
        )
    found = to_json(dict(data))
    if (size := len(json.dumps(found))) > LARGEST_DATA:
        raise PermanentError(
            f"the data of message {name!r} take {size:,} characters",
            hint=f"Let it have {LARGEST_DATA:,} at most, or put them into a record.",
        )
    return found
