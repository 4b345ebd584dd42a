"""Steps: which kind each is, its frame, its fields, and the steps below it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from procession.model import fields, words
from procession.model.draft import Filled, RetryDraft, StepDraft, YamlPath
from procession.model.problems import Problems, check_shape, described, example, keys_of, model_below
from procession.model.shapes import RETRY_WORDS, RetryShape, StepFrame
from procession.steps import kind_of
from procession.steps.fields import Wants
from procession.steps.kind import StepKind

CONDITIONAL = ("if", "then", "else")
FRAME = keys_of(StepFrame)
_BESIDE = tuple(dict.fromkeys((*FRAME, *CONDITIONAL)))


@dataclass(frozen=True, slots=True)
class Steps:
    """Reads the steps of one file. `defaults` are values by step word; `taken` ids that authors gave."""

    problems: Problems
    defaults: Mapping[str, Mapping[str, Any]]
    taken: frozenset[str] = field(default=frozenset())

    def read(self, given: list[Any], where: YamlPath, prefix: str = "") -> tuple[StepDraft, ...]:
        """The steps of one list, in order; `prefix` is the plan path of the slot they are in."""
        if not given:
            self.problems.add("there are no steps here", where, "Write at least one.", key=True)
        numbers: dict[str, int] = {}
        return tuple(self._step(raw, (*where, n), prefix, numbers) for n, raw in enumerate(given))

    def _step(self, raw: Any, where: YamlPath, prefix: str, numbers: dict[str, int]) -> StepDraft:
        if not isinstance(raw, dict):
            example = (
                f"Write '- {raw}: …'."
                if raw in words.STEP_WORDS
                else "Write '- ' and what it does, such as `stop: done`."
            )
            what = f"{raw!r} alone" if isinstance(raw, str) else described(raw)
            self.problems.add(f"{what} is no step", where, example)
            return StepDraft("", where, "", named=False, title="")
        word = self._word(raw, where)
        named, given = "id" in raw, raw.get("id")
        step_id = given if isinstance(given, str) and given else self._made_up(word or "step", numbers)
        path = f"{prefix}{step_id}"
        hidden = tuple(ids_below([v for k, v in raw.items() if k not in _BESIDE and (not word or k != word)]))
        step = StepDraft(
            path,
            where,
            step_id,
            named=named,
            title=_title(raw, word, step_id if named else ""),
            hidden=hidden,
        )
        step = self._frame(step, raw, conditional=word == "if")
        kind = kind_of(word)
        return self._of_kind(step, kind, raw) if kind else step

    def _made_up(self, word: str, numbers: dict[str, int]) -> str:
        while True:
            numbers[word] = numbers.get(word, 0) + 1
            made_up = f"{word}_{numbers[word]}"
            if made_up not in self.taken:
                return made_up

    # --- which kind

    def _word(self, raw: Mapping[str, Any], where: YamlPath) -> str:
        """The word that says what a step does; "" if that is not clear."""
        kinds = [key for key in raw if key not in _BESIDE and kind_of(key)]
        unknown = [key for key in raw if key not in _BESIDE and not kind_of(key)]
        for key in unknown:
            self._unknown(key, kinds, raw, where)
        if len(kinds) > 1:
            self.problems.add(
                f"a step does one thing, but {kinds[1]!r} stands beside {kinds[0]!r}", (*where, kinds[1]),
                "Begin a step of its own with '- '.", key=True,
            )  # fmt: skip
            return ""
        if kinds:
            self._no_branches(kinds[0], raw, where)
            return kinds[0]
        if ("if" in raw and (not unknown or "then" in raw)) or "then" in raw:
            return "if"
        if not unknown:
            self.problems.add(
                "this step does nothing", where, f"Give it one of: {', '.join(words.STEP_WORDS)}."
            )
        return ""

    def _unknown(self, key: str, kinds: list[str], raw: Mapping[str, Any], where: YamlPath) -> None:
        owner = next((kind for kind in kinds if words.field_of(key, kind)), "")
        if owner:
            hint = f"Indent it further than {owner!r}."
            self.problems.add(
                f"{key!r} belongs below {owner!r}, not beside it", (*where, key), hint, key=True
            )
            return
        clear = kinds or "then" in raw
        known = _BESIDE if clear else (*words.STEP_WORDS, *FRAME, "then")
        self.problems.unknown(key, "a step", where, tuple(dict.fromkeys(known)))

    def _no_branches(self, kind: str, raw: Mapping[str, Any], where: YamlPath) -> None:
        for key in ("then", "else"):
            if key in raw:
                self.problems.add(
                    f"{key!r} and {kind!r} cannot stand in one step", (*where, key),
                    f"Beside {kind!r}, 'if' alone decides; else put {kind!r} among the steps of 'then'.", key=True,
                )  # fmt: skip

    # --- what every step may have

    def _frame(self, step: StepDraft, raw: Mapping[str, Any], *, conditional: bool) -> StepDraft:
        own = {key: raw[key] for key in FRAME if key in raw and not (conditional and key == "if")}
        check_shape(StepFrame, own, "the step", lambda path: (*step.where, *path), self.problems)
        guard = fields.condition(own["if"], (*step.where, "if"), self.problems) if "if" in own else None
        retry = self.retry(own["retry"], (*step.where, "retry")) if "retry" in own else None
        timeout = self._timeout(own["timeout"], (*step.where, "timeout")) if "timeout" in own else None
        on_error, on_timeout = (
            self._handler(slot, own.get(slot), step) for slot in ("on_error", "on_timeout")
        )
        return replace(
            step, guard=guard, retry=retry, timeout=timeout, on_error=on_error, on_timeout=on_timeout
        )

    def _handler(self, slot: str, given: Any, step: StepDraft) -> tuple[StepDraft, ...]:
        return (
            self.read(given, (*step.where, slot), f"{step.path}/{slot}/") if isinstance(given, list) else ()
        )

    def _timeout(self, given: Any, where: YamlPath) -> Filled:
        return fields.value(given, where, self.problems, Wants(("duration", "text")))

    def retry(self, given: Any, where: YamlPath) -> RetryDraft | None:
        if isinstance(given, str):
            if given in RETRY_WORDS:
                return RetryDraft(given)
            guess = words.meant(given, RETRY_WORDS)
            hint = f"Did you mean {guess!r}?" if guess else "Write transient, none, or `{max_attempts: 3}`."
            self.problems.add(f"'retry' cannot be {given!r}", where, hint, offset=0)
            return None
        if not isinstance(given, dict):
            hint = (
                f"Write `{{max_attempts: {given}}}`."
                if type(given) is int
                else "Write transient, none, or `{max_attempts: 3}`."
            )
            self.problems.add(
                f"'retry' must be a word or names and values, not {described(given)}", where, hint
            )
            return None
        read = check_shape(RetryShape, given, "'retry'", lambda path: (*where, *path), self.problems)
        return RetryDraft(settings=read.model_dump(), written=tuple(given)) if read else None

    # --- what its kind has

    def _of_kind(self, step: StepDraft, kind: StepKind, raw: Mapping[str, Any]) -> StepDraft:
        base = step.where if kind.word == "if" else (*step.where, kind.word)
        given = self._fields(kind, raw, base)
        if given is None:
            return replace(step, kind=kind)
        defaults = {
            k: v
            for k, v in self.defaults.get(kind.word, {}).items()
            if k not in given and k in keys_of(kind.shape)
        }

        def locate(path: YamlPath) -> YamlPath:
            if path and path[0] == kind.whole:
                return (*base, *path[1:])
            return (*("defaults", kind.word), *path) if path and path[0] in defaults else (*base, *path)

        merged = {**defaults, **given}
        of = "a step with 'if'" if kind.word == "if" else repr(kind.word)
        shape = check_shape(kind.shape, merged, of, locate, self.problems)
        filled, slots = fields.fill(kind.shape, merged, locate, self.problems)
        children = {
            slot.name: self.read(slot.steps, slot.where, f"{step.path}/{slot.name}/") for slot in slots
        }
        each = merged.get("as", "item") if "items" in keys_of(kind.shape) else ""
        return replace(
            step, kind=kind, shape=shape, fields=filled, slots=children, each=str(each),
            guard=None if kind.word == "if" else step.guard, default_retry=self._default_retry(kind),
        )  # fmt: skip

    def _default_retry(self, kind: StepKind) -> RetryDraft | None:
        given = self.defaults.get(kind.word, {}).get("retry")
        return None if given is None else self.retry(given, ("defaults", kind.word, "retry"))

    def _fields(self, kind: StepKind, raw: Mapping[str, Any], base: YamlPath) -> dict[str, Any] | None:
        """What stands below the word, with a shorthand written out and without what belongs beside it."""
        if kind.word == "if":
            return {key: raw[key] for key in CONDITIONAL if key in raw}
        given = raw[kind.word]
        if given is None:
            given = {}
        if kind.whole:
            return self._whole(kind, given, base)
        if not isinstance(given, dict):
            if kind.shorthand:
                return {kind.shorthand: given}
            self.problems.add(
                f"{kind.word!r} must be names and values, not {described(given)}", base,
                f"Write `{kind.word}: {example(kind.shape)}`.", offset=0,
            )  # fmt: skip
            return None
        too_far_left = {key: raw[key] for key in raw if key not in _BESIDE and words.field_of(key, kind.word)}
        kept = {**too_far_left, **given}
        for key in given:
            if key in FRAME and key not in keys_of(kind.shape) and kind.word != "set":
                self._belongs_beside(kind, key, base)
                del kept[key]
        return kept

    def _whole(self, kind: StepKind, given: Any, base: YamlPath) -> dict[str, Any] | None:
        """All below the word is one field: an entry, or a list of them."""
        below = model_below(kind.shape, kind.whole)
        if below is None or not isinstance(given, dict | list) or not given:
            self.problems.add(
                f"{kind.word!r} must be names and values, not {described(given) if given else 'nothing'}", base,
                f"Write `{kind.word}: {kind.example}`.", offset=0,
            )  # fmt: skip
            return None
        if isinstance(given, list):
            return {kind.whole: given}
        beside = [key for key in given if key in FRAME and key not in keys_of(below)]
        for key in beside:
            if key == "if" and "match" in keys_of(below):
                self.problems.add(
                    "what came is asked by 'match'", (*base, key), f"Write `match: {given[key]}`.", key=True
                )
            else:
                self._belongs_beside(kind, key, base)
        return {kind.whole: {key: value for key, value in given.items() if key not in beside}}

    def _belongs_beside(self, kind: StepKind, key: str, base: YamlPath) -> None:
        hint = f"Indent it like {kind.word!r}."
        self.problems.add(f"{key!r} belongs beside {kind.word!r}, not below it", (*base, key), hint, key=True)


def _title(raw: Mapping[str, Any], word: str, id_: str) -> str:
    if isinstance(raw.get("name"), str) and raw["name"]:
        return str(raw["name"])
    if id_:
        return id_.replace("_", " ").capitalize()
    kind = kind_of(word)
    return kind.title if kind else ""


def ids_below(value: Any) -> Iterator[str]:
    """Every id written anywhere in a part of the file."""
    if isinstance(value, dict):
        if isinstance(value.get("id"), str):
            yield value["id"]
        for item in value.values():
            yield from ids_below(item)
    elif isinstance(value, list):
        for item in value:
            yield from ids_below(item)
