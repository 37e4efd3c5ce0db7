"""Which names a template leaves open: the variables that somebody has to give.

Follows Jinja2's scopes: a for, a macro, a with and a block set names for themselves; an if sets a name for what comes
after it only when every branch sets it.
"""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes


def open_names(tree: nodes.Template) -> list[nodes.Name]:
    """The reads of names that nothing before them set; each include gets ``bound``, the names that it finds set.

    The tree must be of bounded depth.
    """
    found: list[nodes.Name] = []
    _walk(tree, set(), found)
    return found


def _walk(node: nodes.Node, bound: set[str], found: list[nodes.Name]) -> None:
    """Collect open names of ``node``; names that it sets for what follows are added to ``bound``."""
    if isinstance(node, nodes.Name):
        if node.ctx != "load":
            bound.add(node.name)
        elif node.name not in bound:
            found.append(node)
    elif isinstance(node, nodes.For):
        _walk(node.iter, bound, found)
        inner = {*bound, "loop"}
        _walk_all((node.target, *([node.test] if node.test else []), *node.body), inner, found)
        _walk_all(node.else_, set(bound), found)
    elif isinstance(node, nodes.If):
        _walk_if(node, bound, found)
    elif isinstance(node, nodes.Macro):
        bound.add(node.name)
        _walk_all((*node.defaults, *node.args, *node.body), {*bound, "caller", "varargs", "kwargs"}, found)
    elif isinstance(node, nodes.CallBlock):
        _walk(node.call, bound, found)
        _walk_all((*node.defaults, *node.args, *node.body), set(bound), found)
    elif isinstance(node, nodes.With):
        inner = set(bound)
        _walk_all(node.values, inner, found)
        _walk_all((*node.targets, *node.body), inner, found)
    elif isinstance(node, nodes.AssignBlock):
        _walk_all((*([node.filter] if node.filter else []), *node.body), set(bound), found)
        _walk(node.target, bound, found)
    elif isinstance(node, nodes.FilterBlock | nodes.Block | nodes.Scope):
        _walk_all(node.iter_child_nodes(), set(bound), found)
    elif isinstance(node, nodes.Assign):
        _walk_all((node.node, node.target), bound, found)
    elif isinstance(node, nodes.Include):
        node.bound = tuple(sorted(bound))  # type: ignore[attr-defined]
        _walk(node.template, bound, found)
    else:
        _walk_all(node.iter_child_nodes(), bound, found)


def _walk_all(children: Iterable[nodes.Node], bound: set[str], found: list[nodes.Name]) -> None:
    for child in children:
        _walk(child, bound, found)


def _walk_if(node: nodes.If, bound: set[str], found: list[nodes.Name]) -> None:
    _walk(node.test, bound, found)
    branches: list[set[str]] = []
    for branch in (node.body, node.elif_, node.else_):
        if branch is node.elif_:
            for other in node.elif_:
                inner = set(bound)
                _walk(other.test, inner, found)
                _walk_all(other.body, inner, found)
                branches.append(inner)
        else:
            inner = set(bound)
            _walk_all(branch, inner, found)
            branches.append(inner)
    bound |= set.intersection(*branches)
