"""What an expression is, follows and gets wrong, found without running it.

One walk over the tree gives every node its type. A part that is wrong has an unknown type, which fits
everywhere, so one mistake gives one finding.
"""

from collections.abc import Iterable, Mapping

from jinja2 import nodes

from procession.expressions.arithmetic import SIGNED
from procession.expressions.fitting import article, compared, computed, no_option, sign_of
from procession.expressions.known import UNKNOWN, Known, NotLiteral, Origin, either
from procession.expressions.operation import Operation
from procession.expressions.operations import FUNCTIONS
from procession.expressions.parts import Checked, Finding, Names, Scope
from procession.expressions.syntax import (
    JINJAS_OWN,
    Tree,
    argument_name,
    in_order,
    name_of,
    named_arguments,
    operation_of,
    read,
    start,
)
from procession.records import ANY, BOOL, INT, NUMBER, TEXT, Type, list_of
from procession.spelling import did_you_mean, one_of

_GROUPS: Mapping[tuple[str, ...], str] = {("inputs",): "", ("outputs",): "outputs", ("vars",): "vars"}
"""Groups of names that authors give; an input is a name of the scope as well."""
_ALWAYS_THERE = ("id", "name")
"""What is known of a referenced record without reading it (`procession.ports.Records.fetch`)."""


def check(source: str, scope: Scope) -> Checked:
    """All mistakes of one expression, its type and the references it follows. Raises nothing."""
    tree = read(source)
    if tree.node is None:
        return Checked(ANY, findings=tree.findings)
    walk = _Walk(tree, scope)
    known = walk.value(tree.node)
    if _may_hold_records(known.type):
        walk.follow(known.origins)
    return Checked(known.type, frozenset(walk.reads), in_order([*tree.findings, *walk.findings]))


def _may_hold_records(type_: Type) -> bool:
    return type_.name in ("record", "any") or (type_.item is not None and _may_hold_records(type_.item))


class _Walk:
    """The walk over one tree, and what it has found so far."""

    def __init__(self, tree: Tree, scope: Scope) -> None:
        self._words, self._scope = tree.words, scope
        self.findings: list[Finding] = []
        self.reads: set[tuple[str, ...]] = set()

    def value(self, node: nodes.Node) -> Known:
        """What is known of a node that is used as a value."""
        known = self._known(node)
        if known.names is None:
            return known
        ((root, _),) = known.origins
        said, first = ".".join(root), next(iter(known.names), "…")
        self._wrong(f"{said!r} is a group of names", start(node), f"Add the one you mean: {said}.{first}.")
        return UNKNOWN

    def follow(self, origins: Iterable[Origin]) -> None:
        self.reads |= {root + references for root, references in origins if references}

    def _wrong(self, message: str, offset: int, hint: str = "") -> None:
        self.findings.append(Finding(message, offset, hint))

    def _missing(self, message: str, offset: int, hint: str, name: str, group: str = "") -> None:
        self.findings.append(Finding(message, offset, hint, "missing", name, group))

    def _known(self, node: nodes.Node) -> Known:
        match node:
            case nodes.Const():
                return _literal(node.value)
            case nodes.Name():
                return self._name(node)
            case nodes.Getattr():
                owner = self._known(node.node)
                if node.attr.startswith("_"):
                    return UNKNOWN  # refused by the syntax
                return self._field(owner, node.attr, name_of(node, self._words))
            case nodes.Filter() | nodes.Test() | nodes.Call():
                return self._operation(node)
            case nodes.Compare():
                return self._compare(node)
            case nodes.BinExpr() if not isinstance(node, nodes.And | nodes.Or):
                return self._compute(node)
        return self._plain(node)

    def _plain(self, node: nodes.Node) -> Known:
        """Nodes that fit whatever is below them."""
        match node:
            case nodes.And() | nodes.Or():
                return either(self.value(node.left), self.value(node.right))
            case nodes.Not():
                self.value(node.node)
                return Known(BOOL)
            case nodes.CondExpr():
                self.value(node.test)
                return either(self.value(node.expr1), self.value(node.expr2) if node.expr2 else UNKNOWN)
            case nodes.Concat():
                for part in node.nodes:
                    self.value(part)
                return Known(TEXT)
            case nodes.List() | nodes.Tuple():
                return _list([self.value(item) for item in node.items])
            case nodes.Neg() | nodes.Pos():
                return self._sign(node)
            case nodes.Getitem():
                return self._part(node)
        return UNKNOWN

    def _name(self, node: nodes.Name) -> Known:
        found = self._scope.names.get(node.name)
        if found is None:
            if not node.name.startswith("_") and node.name not in JINJAS_OWN:
                hint = self._other_name(node.name)
                self._missing(f"there is no {node.name!r} here", node.lineno, hint, node.name)
            return UNKNOWN
        return _below((), node.name, found)

    def _other_name(self, name: str) -> str:
        if name in FUNCTIONS:
            return f"It is a function. Example: {FUNCTIONS[name].example}."
        guess = did_you_mean(name, self._scope.names)
        if guess:
            return guess
        for root, type_ in self._scope.names.items():
            if isinstance(type_, Type) and self._scope.schema.field(type_.of, name):
                return f"Did you mean '{root}.{name}'?"
        return "If it is a text, put it into quotes."

    def _field(self, owner: Known, name: str, offset: int) -> Known:
        """A field of a record, or a name below a name."""
        if owner.names is not None:
            return self._member(owner, name, offset)
        if owner.type.name == "any":
            self.follow(owner.origins)
            return UNKNOWN
        if owner.type.name != "record":
            self._wrong(
                f"{article(owner)} has no field {name!r}", offset, _INSTEAD_OF_FIELD.get(owner.type.name, "")
            )
            return UNKNOWN
        return self._field_of_record(owner, name, offset)

    def _member(self, owner: Known, name: str, offset: int) -> Known:
        names = owner.names or {}
        ((root, _),) = owner.origins
        if name in names:
            return _below(root, name, names[name])
        known = f"There is {one_of(list(names)[:12])}." if names else "There is nothing in it."
        message, hint = f"there is no {name!r} in {'.'.join(root)}", did_you_mean(name, names) or known
        if root in _GROUPS:
            self._missing(message, offset, hint, name, _GROUPS[root])
        else:
            self._wrong(message, offset, hint)
        return UNKNOWN

    def _field_of_record(self, owner: Known, name: str, offset: int) -> Known:
        entity = self._scope.schema.entities.get(owner.type.of)
        if entity is None:
            return UNKNOWN
        if name not in _ALWAYS_THERE:
            self.follow(owner.origins)
        field = entity.fields.get(name)
        if field is None and name == "id":
            return Known(INT)
        if field is None:
            hint = did_you_mean(name, entity.fields) or f"It has {one_of(sorted(entity.fields))}."
            self._wrong(f"{entity.name} has no field {name!r}", offset, hint)
            return UNKNOWN
        origins: frozenset[Origin] = frozenset()
        if _may_hold_records(field.type):
            origins = frozenset((root, (*references, name)) for root, references in owner.origins)
        return Known(field.type, origins, options=field.options, field=f"{entity.name}.{name}")

    def _operation(self, node: nodes.Filter | nodes.Test | nodes.Call) -> Known:
        operation = operation_of(node)
        value = UNKNOWN if isinstance(node, nodes.Call) or node.node is None else self.value(node.node)
        named = {name: keyword.value for name, keyword in named_arguments(node).items()}
        if operation is None:
            for place in (*node.args, *named.values()):
                self.value(place)
            return UNKNOWN
        places = dict(zip(operation.arguments, node.args, strict=False)) | named
        args = {name: self.value(place) for name, place in places.items()}
        if not self._fits(operation, value, name_of(node, self._words)):
            return operation.gives(UNKNOWN, args)
        for name, place in places.items():
            args[name] = self._argument(operation, value, args[name], name, place)
        if operation.any_names:
            self._wanted_fields(value.item, args, node)
        return operation.gives(value, args)

    def _fits(self, operation: Operation, value: Known, offset: int) -> bool:
        kind = value.type.name
        if not operation.takes or kind == "any" or kind in operation.takes:
            return True
        takes = one_of(
            _NEEDS[name] for name in operation.takes if name != "int" or "number" not in operation.takes
        )
        self._wrong(f"{operation.name!r} does not fit {article(value)}", offset, f"It takes {takes}.")
        return False

    def _argument(
        self, operation: Operation, value: Known, given: Known, name: str, place: nodes.Node
    ) -> Known:
        wants = operation.wants.get(name, ())
        kind = given.type.name
        if wants and kind not in (*wants, "any"):
            hint = f"Example: {operation.example}."
            self._wrong(f"{name!r} of {operation.name!r} cannot be {article(given)}", start(place), hint)
            return UNKNOWN
        if name == operation.attribute and isinstance(given.literal, str):
            return self._path(value.item, given.literal, start(place) + 1)
        if name in operation.readers and isinstance(given.literal, str):
            self._readable(operation, name, given.literal, start(place))
        return given

    def _path(self, item: Known, path: str, offset: int) -> Known:
        """The field at the end of `account.name`, written out as a text."""
        for name in path.split("."):
            item = self._field(item, name, offset)
            offset += len(name) + 1
        return item

    def _readable(self, operation: Operation, name: str, text: str, offset: int) -> None:
        try:
            operation.readers[name](text)
        except ValueError as error:
            message, _, hint = str(error).partition(". ")
            self._wrong(message.rstrip("."), offset, hint)

    def _wanted_fields(
        self, item: Known, args: Mapping[str, Known], node: nodes.Filter | nodes.Test | nodes.Call
    ) -> None:
        for name, keyword in named_arguments(node).items():
            field = self._field(item, name, argument_name(keyword, self._words))
            problem = compared("eq", field, args[name])
            if problem:
                self._wrong(problem[0], start(keyword.value), problem[1])

    def _compare(self, node: nodes.Compare) -> Known:
        left_node: nodes.Node = node.expr
        left = self.value(left_node)
        for operand in node.ops:
            right = self._operand(left, operand.expr)
            problem = compared(operand.op, left, right)
            if problem:
                self._wrong(problem[0], self._offender(left_node, left, operand.expr, right), problem[1])
            elif operand.op in ("in", "notin") and isinstance(operand.expr, nodes.List | nodes.Tuple):
                self._choices(left, operand.expr.items)
            left_node, left = operand.expr, right
        return Known(BOOL)

    def _operand(self, left: Known, node: nodes.Expr) -> Known:
        """The right side; a choice without its quotes is told from an unknown name."""
        if isinstance(node, nodes.Name) and node.name in left.options and node.name not in self._scope.names:
            message, hint = f"there is no {node.name!r} here", f"Put it into quotes: {node.name!r}."
            self._missing(message, node.lineno, hint, node.name)
            return UNKNOWN
        return self.value(node)

    def _offender(self, left_node: nodes.Node, left: Known, right_node: nodes.Node, right: Known) -> int:
        """Which side to point at: the one that is written out, else the right one."""
        if right.literal is NotLiteral and left.literal is not NotLiteral:
            return start(left_node)
        return start(right_node)

    def _choices(self, left: Known, items: Iterable[nodes.Expr]) -> None:
        for item in items:
            problem = no_option(left, item.value) if isinstance(item, nodes.Const) else None
            if problem:
                self._wrong(problem[0], start(item), problem[1])

    def _compute(self, node: nodes.BinExpr) -> Known:
        left, right = self.value(node.left), self.value(node.right)
        result = computed(sign_of(node), left, right)
        if isinstance(result, Type):
            return Known(result)
        self._wrong(result[0], self._offender(node.left, left, node.right, right), result[1])
        return UNKNOWN

    def _sign(self, node: nodes.Neg | nodes.Pos) -> Known:
        known = self.value(node.node)
        if known.type.name in (*SIGNED, "any"):
            return Known(known.type)
        sign = "-" if isinstance(node, nodes.Neg) else "+"
        self._wrong(f"'{sign}' does not fit {article(known)}", start(node))
        return UNKNOWN

    def _part(self, node: nodes.Getitem) -> Known:
        whole = self.value(node.node)
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return UNKNOWN  # refused by the syntax
        for place in (node.arg.start, node.arg.stop) if isinstance(node.arg, nodes.Slice) else (node.arg,):
            at = self.value(place) if place is not None else UNKNOWN
            if at.type.name not in ("int", "any"):
                self._wrong(f"a place in a list is a whole number, not {article(at)}", start(place or node))
        if whole.type.name not in ("list", "text", "any"):
            self._wrong(
                f"{article(whole)} has no parts", start(node.arg), "Only lists and texts are taken apart."
            )
            return UNKNOWN
        return Known(whole.type, whole.origins) if isinstance(node.arg, nodes.Slice) else _one_of(whole)


_NEEDS = {
    "text": "a text", "record": "a record", "number": "a number", "int": "a whole number", "list": "a list",
    "datetime": "a moment", "date": "a date", "duration": "a duration",
}  # fmt: skip
_INSTEAD_OF_FIELD = {
    "list": "Take one of it with '| first', or a field of each with '| map(attribute=…)'.",
    "datetime": "Use a filter: '| date', '| time', '| day' or '| weekday'.",
    "date": "Use a filter: '| date' or '| weekday'.",
    "duration": "Use a filter: '| days', '| hours' or '| minutes'.",
    "text": "Use a filter: '| lower', '| length' or '| trim'.",
}


def _literal(value: object) -> Known:
    types = {bool: BOOL, int: INT, float: NUMBER, str: TEXT}
    return Known(types.get(type(value), ANY), literal=value)


def _below(root: tuple[str, ...], name: str, found: Type | Names) -> Known:
    path = (*root, name) if root != ("inputs",) else (name,)
    origins: frozenset[Origin] = frozenset({(path, ())})
    return Known(found, origins) if isinstance(found, Type) else Known(origins=origins, names=found)


def _list(items: list[Known]) -> Known:
    one = either(*items) if items else UNKNOWN
    return Known(list_of(one.type), one.origins)


def _one_of(whole: Known) -> Known:
    return Known(TEXT) if whole.type.name == "text" else whole.item
