"""A template's tree as ways through its conditions: literals and gaps. The half of ``fitting`` that needs Jinja2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jinja2 import nodes

from ledger_tui.domain.fitting import Gap, Piece, ways
from ledger_tui.domain.sandbox import Environment
from ledger_tui.domain.template_parser import read

_SILENT = (nodes.Macro, nodes.Assign, nodes.AssignBlock, nodes.Import, nodes.FromImport, nodes.ExprStmt)


@cache
def _environment() -> Environment:
    return Environment()


def flattened(template: str, limit: int) -> list[list[Piece]]:
    """The ways through a template; empty when it cannot be parsed. Conditions that make more than ``limit`` are gaps."""
    tree = read(_environment(), template).tree
    if tree is None:
        return []
    taken = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    taken |= {macro.name for macro in tree.find_all(nodes.Macro)} | {"loop", "caller", *_environment().globals}
    return _through(tree.body, taken, limit)


def _through(body: Sequence[nodes.Node], taken: set[str], limit: int) -> list[list[Piece]]:
    """The ways through statements; conditions become gaps from the one on that makes too many."""
    done: list[list[Piece]] = [[]]
    for node in body:
        if isinstance(node, nodes.Output):
            step = [[_piece(child, taken) for child in node.nodes]]
        elif isinstance(node, nodes.If):
            step = _branches(node, taken, limit)
        elif isinstance(node, _SILENT):
            continue
        else:
            step = [[_closed(node)]]
        done = ways((done, step), limit) or [[*way, _closed(node)] for way in done]
    return done


def _branches(node: nodes.If, taken: set[str], limit: int) -> list[list[Piece]]:
    bodies = [node.body, *(other.body for other in node.elif_), node.else_]
    return [way for body in bodies for way in _through(body, taken, limit)]


def _piece(node: nodes.Node, taken: set[str]) -> Piece:
    if isinstance(node, nodes.TemplateData):
        return node.data
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return node.value
    if isinstance(node, nodes.Name) and node.name not in taken:
        return Gap(node.name)
    return Gap()


def _closed(node: nodes.Node) -> Gap:
    """A gap for a statement whose output is not told."""
    return Gap(hidden=sum(len("".join(data.data.split())) for data in node.find_all(nodes.TemplateData)))
