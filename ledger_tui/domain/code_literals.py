"""Templates that stand in Python source as plain texts, found without running it: for files of another commit."""

from __future__ import annotations

import ast
from collections.abc import Iterator

MAX_SOURCE = 2 * 1024 * 1024


def template_in(source: str, name: str, owner: str = "") -> str | None:
    """The text that ``source`` gives a name, None when it gives none, several, or one that is computed.

    name: an attribute of a class, a variable of the module or a key of a dictionary. owner: the class, with dots for
    nested ones; '' looks everywhere.
    """
    found = {text for text, _ in _found(source, name, owner)}
    return found.pop() if len(found) == 1 else None


def line_in(source: str, name: str, owner: str = "") -> int | None:
    """The line (from 1) on which ``source`` gives a name its value, computed or not; None when there is none or several."""
    lines = {line for _, line in _found(source, name, owner)}
    return lines.pop() if len(lines) == 1 else None


def _found(source: str, name: str, owner: str) -> list[tuple[str | None, int]]:
    """Every text that the name is given, and its line."""
    if len(source) > MAX_SOURCE:
        return []
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    body = _body_of(tree, owner)
    return [(_text(value), line) for key, value, line in _values(body, deep=not owner) if key == name]


def _body_of(tree: ast.Module, owner: str) -> list[ast.stmt]:
    body = tree.body
    for part in owner.split(".") if owner else ():
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == part), [])
    return body


def _values(body: list[ast.stmt], *, deep: bool) -> Iterator[tuple[str, ast.expr, int]]:
    """Names and keys with their values and lines."""
    for node in body:
        if isinstance(node, ast.ClassDef) and deep:
            yield from _values(node.body, deep=True)
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        else:
            continue
        value = node.value
        assert value is not None
        yield from ((target.id, value, node.lineno) for target in targets if isinstance(target, ast.Name))
        if isinstance(value, ast.Dict):
            for key, item in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, item, key.lineno


def _text(value: ast.expr) -> str | None:
    """The plain text that a value is, None when it is computed."""
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
