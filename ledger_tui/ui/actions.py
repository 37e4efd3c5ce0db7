"""One list of actions, made from the bindings that places and widgets declare: footer, help, palette and keymap read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode
from textual.keys import format_key
from textual.screen import ModalScreen, Screen

GROUPS = {
    "app": "Everywhere",
    "prompts": "Prompts",
    "playground": "Playground",
    "traces": "Traces",
    "costs": "Costs",
    "prices": "Costs",
    "what_if": "Costs",
    "settings": "Settings",
    "dialog": "Dialogs",
    "confirm": "Dialogs",
    "receipt": "Dialogs",
}
"""Titles of the first part of an action's id."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done here and now: what it is called, its keys and who does it."""

    id: str
    title: str
    tooltip: str
    keys: tuple[str, ...]
    name: str
    node: DOMNode
    enabled: bool = True

    @property
    def shown_keys(self) -> str:
        """The keys as a person reads them: ``^s``, ``f5``."""
        return "  ".join(show_key(key) for key in self.keys)


@dataclass(frozen=True, slots=True)
class KnownAction:
    """An action that some widget class declares, with the keys it has when nobody changes them."""

    id: str
    title: str
    tooltip: str
    default_keys: tuple[str, ...]
    owner: str
    """The class that declares it; two actions of one owner cannot share a key."""
    modal: bool = False
    """Whether it belongs to a dialog, where the keys of the shell do not reach."""

    @property
    def group(self) -> str:
        """The title of the place it belongs to."""
        return group_title(self.id)


def group_title(action_id: str) -> str:
    """``prompts.save`` belongs to Prompts."""
    first = action_id.partition(".")[0]
    return GROUPS.get(first, first.replace("_", " ").title())


def show_key(key: str) -> str:
    """A key in the footer's way of writing: ``ctrl+s`` is ``^s``."""
    modifiers, _, last = key.rpartition("+")
    if not last:
        return key
    shown = format_key(last)
    for modifier in modifiers.split("+") if modifiers else ():
        shown = f"^{shown}" if modifier == "ctrl" else f"{modifier}+{shown}"
    return shown


def here(screen: Screen[object]) -> list[Action]:
    """The actions that keys of this screen reach now, in the order in which footer and help show them."""
    found: dict[str, Action] = {}
    for key, active in screen.active_bindings.items():
        binding = active.binding
        if binding.id is None or binding.system:
            continue
        known = found.get(binding.id)
        keys = (*known.keys, key) if known else (key,)
        found[binding.id] = Action(
            binding.id,
            binding.description,
            active.tooltip or binding.tooltip,
            keys,
            binding.action,
            active.node,
            active.enabled,
        )
    return list(found.values())


def catalogue(*roots: type[DOMNode]) -> list[KnownAction]:
    """Every action of the loaded classes below ``roots``, ordered by place and title."""
    found: dict[str, KnownAction] = {}
    for cls in _classes(roots):
        if not cls.__module__.startswith("ledger_tui."):
            continue
        for binding in BindingsMap(cls.__dict__.get("BINDINGS", ())).key_to_bindings.values():
            for one in binding:
                if one.id:
                    _take(found, cls, one)
    order = list(GROUPS)
    return sorted(found.values(), key=lambda known: (_rank(order, known.id), known.title.lower()))


def _rank(order: list[str], action_id: str) -> int:
    first = action_id.partition(".")[0]
    return order.index(first) if first in order else len(order)


def _take(found: dict[str, KnownAction], cls: type[DOMNode], binding: Binding) -> None:
    known = found.get(binding.id or "")
    keys = known.default_keys if known else ()
    if binding.key not in keys:
        keys = (*keys, binding.key)
    modal = issubclass(cls, ModalScreen)
    found[binding.id or ""] = KnownAction(
        binding.id or "", binding.description, binding.tooltip, keys, cls.__qualname__, modal
    )


def _classes(roots: Iterable[type[DOMNode]]) -> Iterator[type[DOMNode]]:
    seen: set[type[DOMNode]] = set()
    waiting = list(roots)
    while waiting:
        cls = waiting.pop()
        if cls not in seen:
            seen.add(cls)
            waiting += cls.__subclasses__()
            yield cls
