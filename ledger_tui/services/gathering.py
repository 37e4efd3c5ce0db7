"""Gathers what programs send to models and no version explains, one group for each prompt of theirs.

For one thread at a time. What it knows is a copy of the stored groups; two programs that begin one group at the same time
with different values make two, which a person may dismiss.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import skeleton as skeletons
from ledger_tui.domain.content import Message
from ledger_tui.domain.skeleton import Skeleton
from ledger_tui.store import linking as store
from ledger_tui.store.linking import Seen

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

MAX_CHARACTERS = 64 * 1024
"""Of a conversation that is gathered."""
BATCH_CHARACTERS = 1024 * 1024
"""Compared word by word in one batch; what goes beyond is not gathered, so that draining keeps its pace."""
MAX_NEW = 50
"""Groups begun in one batch."""
MAX_WIDENED = 32
"""Skeletons made more general in one batch."""
_PER_KEY = 16
_KEYS_PER_GROUP = 16


@dataclass
class _Group:
    fingerprint: str
    skeleton: Skeleton
    keys: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.text = self.skeleton.to_json()

    def widen(self, skeleton: Skeleton) -> None:
        self.skeleton, self.text = skeleton, skeleton.to_json()


class Gatherer:
    """Knows the groups of a ledger."""

    def __init__(self) -> None:
        self._stamp: tuple[Any, ...] | None = None
        self._groups: OrderedDict[str, _Group] = OrderedDict()
        self._by_key: dict[str, list[_Group]] = {}
        self.begin_batch()

    def begin_batch(self) -> None:
        """A new batch has its own share of work."""
        self._characters = BATCH_CHARACTERS
        self._new = MAX_NEW
        self._widened = MAX_WIDENED

    def refresh(self, lean: Lean, stamp: tuple[Any, ...]) -> None:
        """Read the groups again when somebody else changed them."""
        if stamp == self._stamp:
            return
        known = self._groups
        self._groups, self._by_key = OrderedDict(), {}
        for row in reversed(store.groups(lean)):
            try:
                group = _Group(row.fingerprint, Skeleton.from_json(row.skeleton))
                sample = [Message(str(one["role"]), str(one["text"])) for one in json.loads(row.sample)]
            except (ValueError, TypeError, KeyError):
                continue
            self._groups[group.fingerprint] = group
            before = known.get(row.fingerprint)
            self._file(group, before.keys if before else skeletons.keys_of(sample) if sample else ())
        self._stamp = stamp

    def wrote(self, stamp: tuple[Any, ...]) -> None:
        """What is known was stored; ``stamp`` is that of the store now."""
        self._stamp = stamp

    def see(self, said: Sequence[Message], at_us: int, model: str | None) -> Seen | None:
        """Count a conversation into a group, perhaps a new one; None when it has no prompt or there is too much to do."""
        head = skeletons.head_of(said)
        if not head or not 0 < sum(len(message.text) for message in head) <= MAX_CHARACTERS:
            return None
        keys = skeletons.keys_of(head)
        group = self._known(head, keys) or self._alike(head, keys) or self._begin(head, keys)
        if group is None:
            return None
        self._groups.move_to_end(group.fingerprint)
        return Seen(group.fingerprint, group.text, head, at_us, model)

    def _candidates(self, keys: Sequence[str]) -> list[_Group]:
        found = {group.fingerprint: group for key in keys for group in self._by_key.get(key, ())}
        return list(found.values())

    def _known(self, head: Sequence[Message], keys: Sequence[str]) -> _Group | None:
        fitting = [group for group in self._candidates(keys) if group.skeleton.fits(head)]
        return max(fitting, key=lambda group: group.skeleton.literal, default=None)

    def _alike(self, head: Sequence[Message], keys: Sequence[str]) -> _Group | None:
        size = sum(len(message.text) for message in head)
        name = None
        for group in self._candidates(keys):
            if self._is_tired:
                return None
            name = name or skeletons.fingerprint_of(head)
            self._characters -= size
            same_roles = [role for role, _ in group.skeleton.messages] == [message.role for message in head]
            if (name == group.fingerprint and same_roles) or skeletons.alike(group.skeleton, head):
                self._widened -= 1
                group.widen(skeletons.generalised(group.skeleton, head))
                self._file(group, keys)
                return group
        return None

    @property
    def _is_tired(self) -> bool:
        return self._characters < 0 or self._widened <= 0

    def _begin(self, head: Sequence[Message], keys: Sequence[str]) -> _Group | None:
        if self._new <= 0 or self._is_tired:
            return None
        self._new -= 1
        fingerprint = skeletons.fingerprint_of(head)
        group = self._groups.get(fingerprint)
        if group is None:
            group = self._groups[fingerprint] = _Group(fingerprint, skeletons.skeleton_of(head))
            while len(self._groups) > store.MAX_GROUPS:
                self._forget(next(iter(self._groups.values())))
        elif len(group.skeleton.messages) == len(head):
            group.widen(skeletons.generalised(group.skeleton, head))
        self._file(group, keys)
        return group

    def _file(self, group: _Group, keys: Sequence[str] | set[str]) -> None:
        for key in keys:
            filed = self._by_key.setdefault(key, [])
            if key not in group.keys and len(filed) < _PER_KEY and len(group.keys) < _KEYS_PER_GROUP:
                filed.append(group)
                group.keys.add(key)

    def _forget(self, group: _Group) -> None:
        del self._groups[group.fingerprint]
        for key in group.keys:
            left = [one for one in self._by_key.get(key, ()) if one is not group]
            if left:
                self._by_key[key] = left
            else:
                self._by_key.pop(key, None)
