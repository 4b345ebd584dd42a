"""In the child: the application's functions are called. Arguments and results are JSON (`procession.values`)."""

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from procession.confined.errors_as_data import error_to_data
from procession.errors import PermanentError, ProcessionError, Unforeseen, foreseen
from procession.values import from_json, to_json


def calling(address: str) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The names that the registry at `module:name` has when it is imported anew, and what answers requests."""
    module, _, name = address.partition(":")
    registry: Mapping[str, Callable[..., Any]] = getattr(import_module(module), name)

    def answer(request: bytes) -> bytes:
        asked = json.loads(request)
        try:
            done = {"value": _called(asked["function"], from_json(asked["args"]), registry)}
        except ProcessionError as error:
            done = error_to_data(error)
        return json.dumps(done).encode()

    return json.dumps(sorted(registry)).encode(), answer


def _called(name: str, args: Mapping[str, Any], registry: Mapping[str, Callable[..., Any]]) -> Any:
    """Raises:
    ProcessionError: as the function did; anything else it raised is permanent.
    """
    try:
        with foreseen(f"function {name!r}"):
            return to_json(registry[name](**args))
    except Unforeseen as error:
        if error.__cause__ is None:
            raise
        raise PermanentError(f"function {name!r} failed: {error.__cause__}") from error.__cause__
