"""A template's tree as ways through its conditions: literals and gaps. The half of ``fitting`` that needs Jinja2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from jinja2 import nodes

from ledger_tui.domain.fitting import MAX_TEMPLATE_CHARACTERS, Gap, Piece, ways
from ledger_tui.domain.includes import MAX_DEPTH
from ledger_tui.domain.sandbox import Environment
from ledger_tui.domain.template import NO_TEXTS
from ledger_tui.domain.template_parser import read

_SILENT = (nodes.Macro, nodes.Assign, nodes.AssignBlock, nodes.Import, nodes.FromImport, nodes.ExprStmt)
_INCLUDE_COST = 16
"""Characters that an include counts for besides its text: an empty one takes time too."""


@cache
def _environment() -> Environment:
    return Environment()


def flattened(template: str, limit: int, texts: Mapping[str, str] = NO_TEXTS) -> list[list[Piece]]:
    """The ways through a template; empty when it cannot be parsed. Conditions that make more than ``limit`` are gaps.

    texts: what the names in includes stand for. An include is a gap when its name is not among them, when it stands
    inside itself, and when all of them together come to too much.
    """
    return _Flattening(limit, texts).ways(template, frozenset()) or []


class _Flattening:
    """One template with what it includes."""

    def __init__(self, limit: int, texts: Mapping[str, str]) -> None:
        self._limit = limit
        self._texts = texts
        self._trees: dict[str, nodes.Template | None] = {}
        self._path: list[str] = []
        self._room = MAX_TEMPLATE_CHARACTERS
        """Characters that includes may still come to."""

    def ways(self, template: str, taken: frozenset[str]) -> list[list[Piece]] | None:
        """The ways through a text; None when it cannot be parsed. taken: names that are no variables of the caller."""
        tree = self._tree(template)
        if tree is None:
            return None
        own = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
        own |= {macro.name for macro in tree.find_all(nodes.Macro)} | {"loop", "caller", *_environment().globals}
        self._path.append(template)
        found = self._through(tree.body, taken | own)
        self._path.pop()
        return found

    def _tree(self, template: str) -> nodes.Template | None:
        if template not in self._trees:
            self._trees[template] = read(_environment(), template).tree
        return self._trees[template]

    def _through(self, body: Sequence[nodes.Node], taken: frozenset[str]) -> list[list[Piece]]:
        """The ways through statements; conditions become gaps from the one on that makes too many."""
        done: list[list[Piece]] = [[]]
        for node in body:
            closed = _closed(node)
            if isinstance(node, nodes.Output):
                step = [[_piece(child, taken) for child in node.nodes]]
            elif isinstance(node, nodes.If):
                step = self._branches(node, taken)
            elif isinstance(node, nodes.Include):
                step, closed = self._included(node, taken)
            elif isinstance(node, _SILENT):
                continue
            else:
                step = [[closed]]
            done = ways((done, step), self._limit) or [[*way, closed] for way in done]
        return done

    def _branches(self, node: nodes.If, taken: frozenset[str]) -> list[list[Piece]]:
        bodies = [node.body, *(other.body for other in node.elif_), node.else_]
        return [way for body in bodies for way in self._through(body, taken)]

    def _included(self, node: nodes.Include, taken: frozenset[str]) -> tuple[list[list[Piece]], Gap]:
        """The ways through an included text, and the gap that stands for it where it makes too many."""
        name = node.template.value if isinstance(node.template, nodes.Const) else None
        text = self._texts.get(name) if isinstance(name, str) else None
        cost = 0 if text is None else len(text) + _INCLUDE_COST
        if text is None or text in self._path or len(self._path) > MAX_DEPTH or cost > self._room:
            return [[Gap()]], Gap()
        self._room -= cost
        found, tree = self.ways(text, taken), self._tree(text)
        return found or [[Gap()]], Gap() if tree is None else _closed(tree)


def _piece(node: nodes.Node, taken: frozenset[str]) -> Piece:
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
