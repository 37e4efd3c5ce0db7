"""Which version of which prompt a conversation was made from. For one thread at a time.

First what was rendered here, letter by letter; then by the versions' texts. Versions never change, so their texts are read
once; only what the registry gained is read again. What a version includes is what that means now.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ledger_tui.domain.anchors import AnchorIndex, Pattern
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.conversation import Conversation, read_conversation, same_role
from ledger_tui.domain.fitting import Fit, fit_messages
from ledger_tui.errors import ContentRefused
from ledger_tui.services.include_texts import IncludeTexts, may_include
from ledger_tui.store import linking as store

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

MAX_RENDERS = 2_000
"""Recent renders that are known by their text."""
MAX_CANDIDATES = 64
"""Versions that one conversation is fitted to, the newest."""
MAX_OTHERS = 10


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What decides between two versions that fit alike."""

    version_id: str
    prompt_id: str
    created_us: int
    model: str | None


@dataclass(frozen=True, slots=True)
class Match:
    """The version a conversation was made from, and how that was told."""

    prompt_id: str
    version_id: str
    by: Literal["rendered", "text", "fit"]
    """The same messages were rendered here; its text is the same; its template fits."""
    values: dict[str, Any] = field(default_factory=dict)
    uncertain: tuple[str, ...] = ()
    """Variables whose values cannot be told."""
    others: tuple[str, ...] = ()
    """Ids of other versions that fit as well."""


@dataclass(frozen=True, slots=True)
class _Rendered:
    usage_id: str
    prompt_id: str
    version_id: str
    parameters: str | None = None
    """JSON, of one that is not stored yet."""


class Matcher:
    """Knows the versions and the recent renders of a ledger."""

    def __init__(self) -> None:
        self._journal = -1
        self._usage = ""
        self._patterns: dict[str, Pattern[VersionFacts] | None] = {}
        self._composed: dict[str, tuple[Message, ...]] = {}
        """The messages of versions that include others, by version id."""
        self._includes = IncludeTexts()
        self._active: set[str] = set()
        self._index: AnchorIndex[VersionFacts] = AnchorIndex([])
        self._renders: OrderedDict[int, _Rendered] = OrderedDict()
        self._lengths: set[int] = set()

    def refresh(self, lean: Lean, journal: int, usage: str) -> bool:
        """Read what came since the last time; whether anything did. The stamps are those of ``store.linking.stamps``."""
        changed = False
        if journal != self._journal:
            self._read_versions(lean)
            self._journal, changed = journal, True
        if usage != self._usage:
            self._read_renders(lean)
            self._usage, changed = usage, True
        return changed

    def learn(self, renders: Sequence[Mapping[str, Any]]) -> None:
        """Rows of ``usages`` that are about to be stored."""
        for row in renders:
            if row.get("prompt_id") and row.get("version_id"):
                facts = _Rendered(row["id"], row["prompt_id"], row["version_id"], row.get("parameters"))
                self._keep(row.get("rendered") or "", facts)
        self._trim()

    def match(self, lean: Lean, said: Conversation, prompt_id: str | None, model: str | None) -> Match | None:
        """The version of ``said``, of the prompt ``prompt_id`` when that is known; None when nothing says which."""
        rendered = self._rendered(said, prompt_id)
        if rendered is not None:
            given = rendered.parameters
            values = store.parameters(lean, rendered.usage_id) if given is None else json.loads(given)
            return Match(rendered.prompt_id, rendered.version_id, "rendered", values)
        return self._fitted(said, prompt_id, model)

    def _read_versions(self, lean: Lean) -> None:
        heads = store.version_heads(lean)
        new = [head.version_id for head in heads if head.version_id not in self._patterns]
        contents = store.contents(lean, new)
        for head in heads:
            if head.version_id not in self._patterns:
                content = _read(contents.get(head.version_id))
                self._patterns[head.version_id] = None if content is None else _pattern(head, content)
                if content is not None and any(may_include(message.text) for message in content.messages):
                    self._composed[head.version_id] = content.messages
        self._active = store.active_versions(lean)
        if self._follow_includes(lean) or new:
            known = (self._patterns[head.version_id] for head in heads)
            self._index = AnchorIndex([pattern for pattern in known if pattern is not None])

    def _follow_includes(self, lean: Lean) -> bool:
        """Give the versions that include others the texts that this means now; whether one changed."""
        changed = False
        self._includes.begin()
        for version_id, messages in self._composed.items():
            pattern = self._patterns[version_id]
            texts = tuple(self._includes.of(lean, message) for message in messages)
            if pattern is not None and texts != pattern.texts:
                self._patterns[version_id] = Pattern(pattern.owner, pattern.messages, texts)
                changed = True
        return changed

    def _read_renders(self, lean: Lean) -> None:
        for usage_id, prompt_id, version_id, rendered in reversed(store.renders(lean, self._usage, MAX_RENDERS)):
            self._keep(rendered, _Rendered(usage_id, prompt_id, version_id))
        self._trim()

    def _keep(self, rendered: str, facts: _Rendered) -> None:
        said = read_conversation(rendered)
        if said:
            self._renders[hash(said)] = facts
            self._lengths.add(len(said))

    def _trim(self) -> None:
        while len(self._renders) > MAX_RENDERS:
            self._renders.popitem(last=False)

    def _rendered(self, said: Conversation, prompt_id: str | None) -> _Rendered | None:
        for length in sorted(self._lengths, reverse=True):
            if length <= len(said):
                found = self._renders.get(hash(said[:length]))
                if found is not None and prompt_id in (None, found.prompt_id):
                    return found
        return None

    def _fitted(self, said: Conversation, prompt_id: str | None, model: str | None) -> Match | None:
        found: list[tuple[tuple[Any, ...], Fit, VersionFacts]] = []
        candidates = [one for one in self._index.candidates(said) if prompt_id in (None, one.owner.prompt_id)]
        for pattern in candidates[:MAX_CANDIDATES]:
            fit = fit_pattern(pattern, said)
            if fit is not None:
                rank = (fit.weight, len(pattern.messages), -fit.gaps, _serves(pattern.owner.model, model))
                found.append((rank, fit, pattern.owner))
        if not found:
            return None
        best = max(rank for rank, _, _ in found)
        equal = [(fit, owner) for rank, fit, owner in found if rank == best]
        equal.sort(
            key=lambda one: (one[1].version_id in self._active, one[1].created_us, one[1].version_id), reverse=True
        )
        fit, owner = equal[0]
        others = tuple(other.version_id for _, other in equal[1 : 1 + MAX_OTHERS])
        return match_of(owner, fit, others)


def pattern_of(lean: Lean, head: store.VersionHead, content: str | None) -> Pattern[VersionFacts] | None:
    """A version with what it includes now as a pattern, None when its content cannot be read."""
    read, includes = _read(content), IncludeTexts()
    return None if read is None else _pattern(head, read, tuple(includes.of(lean, one) for one in read.messages))


def _read(content: str | None) -> PromptContent | None:
    try:
        return PromptContent.from_json(content or "")
    except ContentRefused:
        return None


def _pattern(
    head: store.VersionHead, content: PromptContent, texts: tuple[Mapping[str, str], ...] = ()
) -> Pattern[VersionFacts]:
    messages = tuple(Message(same_role(message.role), message.text) for message in content.messages)
    return Pattern(VersionFacts(*head, content.model), messages, texts)


def fit_pattern(pattern: Pattern[Any], said: Sequence[Message]) -> Fit | None:
    """How a conversation fits a version, None when it does not."""
    if len(said) < len(pattern.messages):
        return None
    return fit_messages(pattern.shapes, said)


def match_of(owner: VersionFacts, fit: Fit, others: tuple[str, ...] = ()) -> Match:
    """The match that a fit is."""
    by: Literal["text", "fit"] = "fit" if fit.gaps else "text"
    uncertain = tuple(sorted(fit.uncertain))
    return Match(owner.prompt_id, owner.version_id, by, dict(fit.values), uncertain, others)


def _serves(wanted: str | None, model: str | None) -> bool:
    """Whether a version names the model that was asked."""
    return wanted is not None and model is not None and (wanted == model or wanted.endswith("/" + model))
