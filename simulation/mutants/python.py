"""Mutants of the Python core, by the operators of cosmic-ray and two of our own: a call or a result is left out."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial

from simulation.mutants.mutant import Candidate, Mutant, digest

# Each comparison becomes its opposite and its neighbour; the others of cosmic-ray fail at once or change nothing.
_COMPARISONS = {
    "Eq": ("NotEq",),
    "NotEq": ("Eq",),
    "Is": ("IsNot",),
    "IsNot": ("Is",),
    "Lt": ("LtE", "GtE"),
    "LtE": ("Lt", "Gt"),
    "Gt": ("GtE", "LtE"),
    "GtE": ("Gt", "Lt"),
}
_BINARY = {"Add": "Sub", "Sub": "Add", "Mul": "Div", "Div": "Mul", "FloorDiv": "Mul", "Mod": "Mul", "BitOr": "BitAnd"}
OPERATORS = (
    *(f"core/ReplaceComparisonOperator_{one}_{other}" for one, others in _COMPARISONS.items() for other in others),
    *(f"core/ReplaceBinaryOperator_{one}_{other}" for one, other in _BINARY.items()),
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/ReplaceUnaryOperator_USub_UAdd",
    "core/AddNot",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/ExceptionReplacer",
    "core/NumberReplacer",
    "core/ZeroIterationForLoop",
)
# What is logged is for people: no test reads most of these lines, and a missing one harms no event.
_LOGS = ("log", "logger", "_log")


def candidates_of(file: str, text: str) -> list[Candidate]:
    """The changes that can be made to a module. What only mypy reads is left as it is, and so is what is logged."""
    left = _left_alone(ast.parse(text))

    def candidate(line: int, kind: str, changed: Callable[[], str]) -> Candidate:
        return Candidate(file, line, kind, lambda: _as_mutant(file, text, kind, changed()))

    return [
        candidate(start[0], kind, changed)
        for start, kind, changed in (*_by_cosmic_ray(text), *_by_us(text))
        if not any(begin <= start < end for begin, end in left)
    ]


_Place = tuple[int, int]
_Change = tuple[_Place, str, Callable[[], str]]


def _by_cosmic_ray(text: str) -> Iterator[_Change]:
    # Installed for `make mutants` only.
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    nodes = list(ast_nodes(get_ast(text)))
    for name in OPERATORS:
        operator = get_operator(name)()
        places = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, start in enumerate(places):
            yield start, name.removeprefix("core/"), partial(mutate_code, text, operator, occurrence)


def _by_us(text: str) -> Iterator[_Change]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.stmt) or node.lineno != node.end_lineno:
            continue
        start = (node.lineno, node.col_offset)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield start, "no call", partial(_replaced, text, node, "pass")
        elif isinstance(node, ast.Return) and node.value and not _is_none(node.value):
            yield start, "no result", partial(_replaced, text, node, "return None")


def _replaced(text: str, node: ast.stmt, new: str) -> str:
    lines = text.splitlines(keepends=True)
    line = lines[node.lineno - 1].encode()
    lines[node.lineno - 1] = (line[: node.col_offset] + new.encode() + line[node.end_col_offset :]).decode()
    return "".join(lines)


def _as_mutant(file: str, text: str, kind: str, changed: str) -> Mutant | None:
    # Of one line that is one line again.
    before, after = text.splitlines(), changed.splitlines()
    different = [number for number, (one, other) in enumerate(zip(before, after, strict=False)) if one != other]
    if len(before) != len(after) or len(different) != 1 or not _compiles(changed):
        return None
    (number,) = different
    return Mutant(file, number + 1, kind, before[number], after[number], digest(text))


def _left_alone(tree: ast.Module) -> list[tuple[_Place, _Place]]:
    # Annotations, what is imported for mypy, and log lines.
    left: list[ast.expr | ast.stmt | None] = []
    for node in ast.walk(tree):
        if (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING") or (
            isinstance(node, ast.Call) and _logs(node)
        ):
            left.append(node)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            left.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            left.append(node.returns)
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0))
        for node in left
        if node is not None
    ]


def _logs(call: ast.Call) -> bool:
    function = call.func
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id in _LOGS


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True
