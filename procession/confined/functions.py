"""The functions of `call` steps as the engine has them: a child process calls them, and dies alone.

The child imports the registry anew and looks a function up by its name. So it need not be one that can be pickled; it
must only be there when that module is imported.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from procession.confined.child import Broken
from procession.confined.errors_as_data import error_from_data
from procession.confined.limits import Limits
from procession.confined.pool import Pool
from procession.errors import ConfigurationError, PermanentError, TemporaryError
from procession.spelling import one_of
from procession.values import from_json, to_json


@dataclass(frozen=True, slots=True)
class ConfinedFunction:
    """Calls a function in a child process; arguments and result are data."""

    name: str
    pool: Pool

    def __call__(self, **args: Any) -> Any:
        """Raises:
        TemporaryError: it ran too long; whatever it asks may be quicker another time.
        PermanentError: it raised something, or took too much, or ended its process.
        ProcessionError: as the function did.
        """
        request = json.dumps({"function": self.name, "args": to_json(args)}).encode()
        try:
            answer = json.loads(self.pool.ask(lambda _known: request, once=True))
        except Broken as broken:
            kind = TemporaryError if broken.is_timeout else PermanentError
            raise kind(f"function {self.name!r} failed: {broken.why}") from broken
        if "error" in answer:
            raise error_from_data(answer)
        return from_json(answer["value"])


def functions_pool(registry: str, limits: Limits) -> Pool:
    """Children that call the functions of a registry `module:name`; they see our whole environment, as the functions of
    an application may need it."""
    return Pool(f"functions:{registry}", limits, secrets=True)


def confined(names: Iterable[str], pool: Pool) -> Mapping[str, Callable[..., Any]]:
    return {name: ConfinedFunction(name, pool) for name in names}


def check_importable(names: Iterable[str], pool: Pool) -> None:
    """Raises:
    ConfigurationError: the registry cannot be imported in another process, or has not got all of them there.
    """
    missing = sorted(set(names) - set(json.loads(pool.greeting())))
    if missing:
        raise ConfigurationError(
            f"another process that imports the functions does not find {one_of(missing)}",
            hint="Register every function in flows/functions.py itself, where the module is imported.",
        )
