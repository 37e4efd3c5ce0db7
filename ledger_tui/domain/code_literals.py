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
    if len(source) > MAX_SOURCE:
        return None
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    body = _body_of(tree, owner)
    found = {text for key, text in _texts(body, deep=not owner) if key == name}
    return found.pop() if len(found) == 1 else None


def _body_of(tree: ast.Module, owner: str) -> list[ast.stmt]:
    body = tree.body
    for part in owner.split(".") if owner else ():
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == part), [])
    return body


def _texts(body: list[ast.stmt], *, deep: bool) -> Iterator[tuple[str, str | None]]:
    """Names and keys with their texts; None for a value that is not a plain text."""
    for node in body:
        if isinstance(node, ast.ClassDef) and deep:
            yield from _texts(node.body, deep=True)
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        else:
            continue
        value = node.value
        yield from ((target.id, _text(value)) for target in targets if isinstance(target, ast.Name))
        if isinstance(value, ast.Dict):
            for key, item in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, _text(item)


def _text(value: ast.expr | None) -> str | None:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
