"""The walk over one file of a mail: the type of every value, the references it follows, and its mistakes.

A macro is walked where it is called, with the types of its arguments, so that what it reads of a record
counts for the caller. What is not known has an unknown type, which fits everywhere: one mistake gives one
problem, and none is made up.
"""

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jinja2 import TemplateSyntaxError, nodes

from procession.errors import Place, ProcessError, ReferenceProblem, ShapeProblem, SyntaxProblem
from procession.expressions import Scope
from procession.expressions.known import UNKNOWN, Known, Origin, either
from procession.mail.complaints import of_syntax
from procession.mail.formats import FORMATS
from procession.mail.library import Library
from procession.records import ANY, BOOL, INT, NUMBER, Type, list_of
from procession.records import TEXT as TEXT_TYPE
from procession.spelling import did_you_mean, one_of

MAIL_NAMES: Mapping[str, Type] = {
    "recipient": ANY,
    "sender": ANY,
    "language": TEXT_TYPE,
    "timezone": TEXT_TYPE,
}
"""What every template can see besides the names of the process."""

JINJA_NAMES = ("loop", "self", "super", "caller", "varargs", "kwargs")
ALWAYS_READ = ("id", "name")
"""What is known of a referenced record without reading it (`procession.ports.Records.fetch`)."""

SAME = ("sort", "unique", "list", "reverse", "select", "reject", "selectattr", "rejectattr")
ONE = ("first", "last", "min", "max")
BY_FIELD = ("map", "sort", "groupby", "sum", "min", "max", "unique", "selectattr", "rejectattr")


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro and the file it stands in."""

    path: str
    node: nodes.Macro


@dataclass(frozen=True, slots=True)
class Module:
    """An imported file: its macros by name."""

    macros: Mapping[str, "Macro"]


Local = Known | Macro | Module
Locals = ChainMap[str, Local]


@dataclass(slots=True)
class Found:
    problems: list[ProcessError] = field(default_factory=list)
    reads: set[tuple[str, ...]] = field(default_factory=set)
    seen: set[tuple[object, ...]] = field(default_factory=set)


class Walk:
    """The walk over one file. `_context` is False in a file that is imported: it sees no names but its own."""

    def __init__(
        self, library: Library, scope: Scope, found: Found, *, path: str = "", context: bool = True
    ) -> None:
        self._library, self._scope, self._found = library, scope, found
        self._path, self._context = path, context

    def file(self, path: str, local: Locals) -> None:
        """A file that sees the names of the mail and these locals."""
        walk = Walk(self._library, self._scope, self._found, path=path, context=self._context)
        tree = walk.tree()
        walk._all(tree.body if tree else (), local.new_child())

    def tree(self) -> nodes.Template | None:
        try:
            return self._library.parse(self._path)
        except TemplateSyntaxError as error:
            text = self._library.line(self._path, error.lineno)
            at = self._library.place(self._path, error.lineno, len(text) - len(text.lstrip()) + 1)
            message, hint = of_syntax(error.message or "it cannot be read")
            self._found.problems.append(SyntaxProblem(message, at=at, hint=hint))
            return None

    def _all(self, statements: Iterable[nodes.Node], local: Locals) -> None:
        for statement in statements:
            self._statement(statement, local)

    def _statement(self, node: nodes.Node, local: Locals) -> None:
        match node:
            case nodes.Output():
                for part in node.nodes:
                    if not isinstance(part, nodes.TemplateData):
                        self._value(part, local)
            case nodes.For():
                self._loop(node, local)
            case nodes.Assign():
                _bind(node.target, self._value(node.node, local), local)
            case nodes.AssignBlock():
                self._all(node.body, local.new_child())
                _bind(node.target, Known(TEXT_TYPE), local)
            case nodes.Macro():
                local[node.name] = Macro(self._path, node)
            case nodes.CallBlock():
                self._value(node.call, local)
                self._all(node.body, local.new_child({arg.name: UNKNOWN for arg in node.args}))
            case nodes.Extends() | nodes.Include() | nodes.Import() | nodes.FromImport():
                self._other(node, local)
            case _:
                self._plain(node, local)

    def _plain(self, node: nodes.Node, local: Locals) -> None:
        """`if`, `block`, `with`, `filter`: expressions, and bodies that see what is set in them."""
        inner = local if isinstance(node, nodes.If) else local.new_child()
        if isinstance(node, nodes.With):
            for target, value in zip(node.targets, node.values, strict=True):
                _bind(target, self._value(value, local), inner)
            self._all(node.body, inner)
            return
        for child in node.iter_child_nodes():
            if isinstance(child, nodes.Expr):
                self._value(child, inner)
            else:
                self._statement(child, inner)

    def _loop(self, node: nodes.For, local: Locals) -> None:
        item = self._value(node.iter, local).item
        inner = local.new_child({"loop": UNKNOWN})
        _bind(node.target, item, inner)
        if node.test:
            self._value(node.test, inner)
        self._all(node.body, inner)
        self._all(node.else_, local.new_child())

    def _other(
        self, node: nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport, local: Locals
    ) -> None:
        path = self._named_file(node.template)
        if isinstance(node, nodes.Import | nodes.FromImport):
            self._import(node, path, local)
        elif path:
            self.file(path, local)

    def _import(self, node: nodes.Import | nodes.FromImport, path: str, local: Locals) -> None:
        macros = Walk(self._library, self._scope, self._found, path=path).macros() if path else {}
        if isinstance(node, nodes.Import):
            local[node.target] = Module(macros) if path else UNKNOWN
            return
        for name in node.names:
            wanted, called = name if isinstance(name, tuple) else (name, name)
            if path and wanted not in macros:
                self._wrong(f"there is no {wanted!r} in {path}", node, wanted, did_you_mean(wanted, macros))
            local[called] = macros.get(wanted, UNKNOWN)

    def macros(self) -> dict[str, Macro]:
        tree = self.tree()
        found = tree.body if tree else ()
        return {node.name: Macro(self._path, node) for node in found if isinstance(node, nodes.Macro)}

    def _named_file(self, node: nodes.Expr) -> str:
        if not isinstance(node, nodes.Const) or not isinstance(node.value, str):
            return ""
        if node.value in self._library.files:
            return node.value
        hint = did_you_mean(node.value, self._library.files)
        self._wrong(f"there is no file {node.value!r} among the templates", node, node.value, hint)
        return ""

    def _value(self, node: nodes.Node, local: Locals) -> Known:
        """What is known of an expression; what it reads and gets wrong is noted."""
        found = self._local(node, local)
        return found if isinstance(found, Known) else UNKNOWN

    def _local(self, node: nodes.Node, local: Locals) -> Local:
        match node:
            case nodes.Const():
                return Known(_CONSTANTS.get(type(node.value), ANY), literal=node.value)
            case nodes.Name():
                return self._name(node, local)
            case nodes.Getattr():
                return self._attribute(node, local)
            case nodes.Filter():
                return self._filter(node, local)
            case nodes.Call():
                return self._call(node, local)
            case nodes.Test():
                self._known_word(node, node.name, "test", self._library.sandbox.tests)
                self._below(node, local)
                return Known(BOOL)
        return self._combined(node, local)

    def _combined(self, node: nodes.Node, local: Locals) -> Known:
        match node:
            case nodes.And() | nodes.Or():
                return either(self._value(node.left, local), self._value(node.right, local))
            case nodes.CondExpr():
                self._value(node.test, local)
                other = self._value(node.expr2, local) if node.expr2 else Known(literal=None)
                return either(self._value(node.expr1, local), other)
            case nodes.List() | nodes.Tuple():
                item = either(*(self._value(one, local) for one in node.items))
                return Known(list_of(item.type), item.origins)
            case nodes.Getitem() if isinstance(node.arg, nodes.Slice):
                self._below(node.arg, local)
                return self._value(node.node, local)
        self._below(node, local)
        return UNKNOWN

    def _below(self, node: nodes.Node, local: Locals) -> None:
        for child in node.iter_child_nodes():
            self._value(child, local)

    def _name(self, node: nodes.Name, local: Locals) -> Local:
        if node.name in local:
            return local[node.name]
        if self._context:
            names = {**MAIL_NAMES, **self._scope.names}
            if node.name in names:
                return _at((node.name,), names[node.name])
        if node.name not in self._library.sandbox.globals and node.name not in (*JINJA_NAMES, "now"):
            known = [*local, *(self._scope.names if self._context else ()), *MAIL_NAMES]
            hint = self._library.how_to_import(node.name) or did_you_mean(node.name, known)
            self._wrong(f"there is no {node.name!r} here", node, node.name, hint, missing=node.name)
        return UNKNOWN

    def _attribute(self, node: nodes.Getattr, local: Locals) -> Local:
        owner = self._local(node.node, local)
        if isinstance(owner, Module):
            if node.attr not in owner.macros:
                self._wrong(
                    f"there is no {node.attr!r} here", node, node.attr, did_you_mean(node.attr, owner.macros)
                )
            return owner.macros.get(node.attr, UNKNOWN)
        return self._field(owner, node.attr, node) if isinstance(owner, Known) else UNKNOWN

    def _field(self, owner: Known, name: str, node: nodes.Node) -> Known:
        """A field of a record, or a name below a name."""
        if owner.names is not None:
            ((root, _),) = owner.origins
            if name in owner.names:
                return _at((*root, name) if root != ("inputs",) else (name,), owner.names[name])
            message, hint = f"there is no {name!r} in {'.'.join(root)}", did_you_mean(name, owner.names)
            self._wrong(message, node, name, hint, missing=name if root == ("inputs",) else "")
            return UNKNOWN
        if name not in ALWAYS_READ:
            self._follow(owner)
        entity = self._scope.schema.entities.get(owner.type.of) if owner.type.name == "record" else None
        if entity is None:
            return UNKNOWN
        if name == "id":
            return Known(INT)
        known = entity.fields.get(name)
        if known is None:
            hint = did_you_mean(name, entity.fields) or f"It has {one_of(sorted(entity.fields))}."
            self._wrong(f"{entity.name} has no field {name!r}", node, name, hint)
            return UNKNOWN
        return self._read(owner, name, known.type)

    def _read(self, owner: Known, name: str, type_: Type) -> Known:
        records = type_.name == "record" or (type_.item is not None and type_.item.name == "record")
        if not records:
            return Known(type_)
        known = Known(type_, frozenset((root, (*references, name)) for root, references in owner.origins))
        if type_.name == "list":
            self._follow(known)
        return known

    def _follow(self, known: Known) -> None:
        self._found.reads |= {root + references for root, references in known.origins if references}

    def _filter(self, node: nodes.Filter, local: Locals) -> Known:
        self._known_word(node, node.name, "filter", self._library.sandbox.filters)
        value = self._value(node.node, local) if node.node else UNKNOWN
        for part in (*node.args, *(keyword.value for keyword in node.kwargs)):
            self._value(part, local)
        if node.name in BY_FIELD:
            self._fields_named(node, value.item)
        if node.name in FORMATS:
            return Known(TEXT_TYPE)
        if node.name in SAME:
            return value
        return value.item if node.name in ONE else UNKNOWN

    def _fields_named(self, node: nodes.Filter, item: Known) -> None:
        """The field in `map(attribute="account.name")` or `selectattr("is_open")`."""
        place = next((keyword.value for keyword in node.kwargs if keyword.key == "attribute"), None)
        if place is None and node.name in {"selectattr", "rejectattr", "groupby"} and node.args:
            place = node.args[0]
        if isinstance(place, nodes.Const) and isinstance(place.value, str):
            for name in place.value.split("."):
                item = self._field(item, name, node)

    def _call(self, node: nodes.Call, local: Locals) -> Known:
        target = self._local(node.node, local)
        args = [self._value(arg, local) for arg in node.args]
        named = {keyword.key: self._value(keyword.value, local) for keyword in node.kwargs}
        if isinstance(target, Macro):
            self._macro(target, args, named)
            return Known(TEXT_TYPE)
        for known in (*args, *named.values()):
            self._follow(known)
        return UNKNOWN

    def _macro(self, macro: Macro, args: Sequence[Known], named: Mapping[str, Known]) -> None:
        """The body with the types of these arguments, once for each combination of types."""
        words = [arg.name for arg in macro.node.args]
        given = {**dict.fromkeys(words, UNKNOWN), **dict(zip(words, args, strict=False)), **named}
        key = (
            macro.path,
            macro.node.name,
            *((word, known.type, known.origins) for word, known in given.items()),
        )
        if key in self._found.seen:
            return
        self._found.seen.add(key)
        context = self._context and macro.path == self._path
        walk = Walk(self._library, self._scope, self._found, path=macro.path, context=context)
        local: Locals = ChainMap({}, dict(walk.macros()))
        tree = walk.tree()
        imports = (nodes.Import, nodes.FromImport)
        walk._all([node for node in (tree.body if tree else ()) if isinstance(node, imports)], local)
        walk._all(macro.node.body, local.new_child(dict(given)))

    def _known_word(self, node: nodes.Node, word: str, kind: str, known: Iterable[str]) -> None:
        if word not in known:
            message, hint = f"there is no {kind} {word!r} in mail templates", did_you_mean(word, known)
            self._found.problems.append(ShapeProblem(message, at=self._at(node, word), hint=hint))

    def _wrong(
        self,
        message: str,
        node: nodes.Node,
        word: str,
        hint: str,
        *,
        missing: str = "",
    ) -> None:
        """Point at the word in its line; Jinja's tree knows lines only."""
        at = self._at(node, word)
        self._found.problems.append(ReferenceProblem(message, at=at, hint=hint, missing=missing))

    def _at(self, node: nodes.Node, word: str) -> Place:
        owner = (
            node.node.name if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) else ""
        )
        text = self._library.line(self._path, node.lineno)
        patterns = (
            rf"\b{owner}\s*\.\s*({re.escape(word)})\b",
            rf"\.\s*({re.escape(word)})\b",
            rf"({re.escape(word)})",
        )
        matches = (
            re.search(pattern, text)
            for pattern in patterns[0 if owner else 1 if isinstance(node, nodes.Getattr) else 2 :]
        )
        column = next((match.start(1) for match in matches if match), len(text) - len(text.lstrip()))
        return self._library.place(self._path, node.lineno, column + 1)


_CONSTANTS = {bool: BOOL, int: INT, float: NUMBER, str: TEXT_TYPE}


def _at(path: tuple[str, ...], found: "Type | Mapping[str, object]") -> Known:
    """A name of the scope: a value of this type, or a group of names."""
    origins: frozenset[Origin] = frozenset({(path, ())})
    return Known(found, origins) if isinstance(found, Type) else Known(origins=origins, names=found)  # type: ignore[arg-type]  # a Mapping here is a group


def _bind(target: nodes.Node, value: Known, local: Locals) -> None:
    for name in target.find_all(nodes.Name):
        local[name.name] = UNKNOWN
    if isinstance(target, nodes.Name):
        local[target.name] = value
