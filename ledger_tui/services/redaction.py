"""What a program wants hidden is taken out of every field before it is written anywhere.

Keys that this process knows, and whatever looks like a key, are always hidden. A program adds named patterns, regular
expressions (applied in a helper process with a time limit) and hooks of its own (each in a thread with a time limit). A
field whose hook fails is withheld: nothing of it is kept, and the reason stands in its place.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.redaction import HIDDEN, NAMED, Rule, is_secret_name, redact_tree
from ledger_tui.errors import InputError, TemplateError
from ledger_tui.providers.known_keys import known_values

if TYPE_CHECKING:
    import queue

    from ledger_tui.services.render_helper import RenderHelper

Hook = Callable[[str, str, str], str]
"""``hook(kind, field, text)``: the kind of span ("llm", "tool" ...), the name of the field, its text; the text to keep."""
RedactionRule = str | re.Pattern[str] | Hook

HOOK_PATIENCE_S = 1.0
PATTERN_PATIENCE_S = 1.0
MAX_HANGS = 3
"""A hook that hung so often is not asked again: its fields are withheld at once."""
KNOWN_KEYS_FOR_S = 1.0
SHORTEST_KEY, SHORTEST = 8, 5
"""Nothing that is a key is shorter, and nothing else that is to be hidden."""
MAX_NAMES = 10_000


class Withheld(Exception):
    """A field that must not be kept; ``str()`` is the reason, without anything of the field."""


class Redactor:
    """The rules of one ledger. Thread-safe; works again after ``fork``."""

    def __init__(self, rules: Sequence[RedactionRule] = ()) -> None:
        """rules: names of ``domain.redaction.NAMED``, compiled patterns or hooks, applied in this order of kinds.

        Raises InputError for an unknown name or something that is none of these.
        """
        unknown = [rule for rule in rules if isinstance(rule, str) and rule not in NAMED]
        if unknown:
            raise InputError(f"there is no redaction {unknown[0]!r}", remedy=f"Known: {', '.join(NAMED)}.")
        wrong = [rule for rule in rules if not isinstance(rule, str | re.Pattern) and not callable(rule)]
        if wrong or any(isinstance(rule, re.Pattern) and not isinstance(rule.pattern, str) for rule in rules):
            raise InputError("a redaction is a name, a compiled pattern of text, or a function")
        self._named: list[Rule] = [rule for name, rule in NAMED.items() if name == "keys" or name in rules]
        self._shortest = SHORTEST_KEY if len(self._named) == 1 else SHORTEST
        self._names: dict[str, tuple[str, bool]] = {}
        self._harmless_names: set[tuple[str, ...]] = set()
        self._patterns = [[rule.pattern, rule.flags] for rule in rules if isinstance(rule, re.Pattern)]
        self._hooks = [_TimedHook(rule) for rule in rules if not isinstance(rule, str | re.Pattern)]
        self._helper: RenderHelper | None = None
        self._helper_lock = threading.Lock()
        self._keys: list[str] = []
        self._keys_until = 0.0

    @property
    def asks_others(self) -> bool:
        """Whether fields go through hooks or the program's own patterns, which takes longer than the named ones."""
        return bool(self._hooks or self._patterns)

    def text(self, kind: str, field: str, text: str) -> str:
        """``text`` of a field as it may be kept; raises Withheld."""
        text = self._plain(text)
        return self._ask(kind, field, text) if self._hooks or self._patterns else text

    def value(self, kind: str, field: str, value: Any) -> Any:
        """Plain JSON of a field as it may be kept; hooks get its JSON text. Raises Withheld."""
        if isinstance(value, str):
            return self.text(kind, field, value)
        if value is None or isinstance(value, bool | float):
            return value
        cleaned = self.plain(value) if isinstance(value, dict) else redact_tree(value, self._plain, self._name)
        if not (self._hooks or self._patterns):
            return cleaned
        import json

        written = json.dumps(cleaned, ensure_ascii=False)
        kept = self._ask(kind, field, written)
        if kept == written:
            return cleaned
        try:
            return json.loads(kept)
        except ValueError:
            return kept

    def hides_nothing(self, text: str, names: Iterable[str]) -> bool:
        """Whether ``text`` (of one field, or of many with NUL between them) under these names goes out as it is."""
        if self._hooks or self._patterns:
            return False
        if time.monotonic() >= self._keys_until:
            self._known_keys()
        together = tuple(names)
        if together not in self._harmless_names and not self._are_harmless(together):
            return False
        for key in self._keys:
            if key in text:
                return False
        kept = text
        for rule in self._named:
            kept = rule(kept)
        return kept == text

    def _are_harmless(self, names: tuple[str, ...]) -> bool:
        """Whether what stands under none of these names is secret; the same few sets of names come again and again."""
        if any(self._name(name)[1] for name in names):
            return False
        if len(self._harmless_names) >= MAX_NAMES:
            self._harmless_names.clear()
        self._harmless_names.add(names)
        return True

    def plain(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Plain JSON after the named patterns, before hooks and own patterns; the same object when nothing is to be hidden."""
        return attributes if self._is_harmless(attributes) else dict(redact_tree(attributes, self._plain, self._name))

    def _is_harmless(self, attributes: dict[str, Any]) -> bool:
        """Whether flat attributes hold nothing to be hidden: their texts are looked at together, which is much cheaper."""
        texts = []
        for name, item in attributes.items():
            kept, is_secret = self._name(name)
            if type(item) is str:
                texts.append(item)
            elif not (item is None or type(item) in (bool, float) or (type(item) is int and abs(item) <= 9_999_999)):
                return False
            if is_secret or kept != name:
                return False
        together = "\n".join(texts)
        return self._plain(together) == together

    def close(self) -> None:
        """End the helper process of the patterns."""
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.close()

    def _plain(self, text: str) -> str:
        if len(text) < self._shortest:
            return text
        for key in self._known_keys():
            if key in text:
                text = text.replace(key, HIDDEN)
        for rule in self._named:
            text = rule(text)
        return text

    def _name(self, name: str) -> tuple[str, bool]:
        """A name as it may be kept, and whether what stands under it is secret; the same few come again and again."""
        if not isinstance(name, str):
            return name, False
        found = self._names.get(name)
        if found is None:
            found = self._plain(name), is_secret_name(name)
            if len(self._names) < MAX_NAMES:
                self._names[name] = found
        return found

    def _known_keys(self) -> list[str]:
        """The keys of this process; a key that came into the environment is known within a second."""
        now = time.monotonic()
        if now >= self._keys_until:
            self._keys, self._keys_until = known_values(), now + KNOWN_KEYS_FOR_S
            self._names = {}
        return self._keys

    def _ask(self, kind: str, field: str, text: str) -> str:
        if self._patterns:
            text = self._by_patterns(text)
        for hook in self._hooks:
            text = hook(kind, field, text)
        return text

    def _by_patterns(self, text: str) -> str:
        from ledger_tui.services.render_helper import HelperDied, RenderHelper

        with self._helper_lock:
            if self._helper is None:
                self._helper = RenderHelper("ledger_tui.domain.redaction_child", PATTERN_PATIENCE_S)
            helper = self._helper
        try:
            answers = helper.ask({"patterns": self._patterns, "text": text}, bool)
        except (HelperDied, TemplateError) as error:
            raise Withheld(f"a redaction pattern did not end: {error}") from None
        return str(answers[0])


class _TimedHook:
    """A hook in a daemon thread of its own, one field at a time."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._name = getattr(hook, "__name__", type(hook).__name__)
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Any] | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._hangs = 0

    def __call__(self, kind: str, field: str, text: str) -> str:
        if self._thread is threading.current_thread():
            raise Withheld(f"it was recorded inside the redaction hook {self._name}")
        if self._pid != os.getpid():
            self._lock, self._jobs, self._pid = threading.Lock(), None, os.getpid()
        with self._lock:
            answer = self._answer(kind, field, text)
        if isinstance(answer, _Raised):
            raise Withheld(f"the redaction hook {self._name} raised {answer.name}")
        if not isinstance(answer, str):
            raise Withheld(f"the redaction hook {self._name} returned {type(answer).__name__} and not a text")
        return answer

    def _answer(self, kind: str, field: str, text: str) -> Any:
        if self._hangs >= MAX_HANGS:
            raise Withheld(f"the redaction hook {self._name} hung {MAX_HANGS} times and is not asked again")
        import queue

        jobs = self._jobs or self._start()
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        jobs.put((kind, field, text, answers))
        try:
            return answers.get(timeout=HOOK_PATIENCE_S)
        except queue.Empty:
            self._hangs += 1
            jobs.put(None)
            self._jobs = None
            raise Withheld(f"the redaction hook {self._name} took longer than {HOOK_PATIENCE_S:g} s") from None

    def _start(self) -> queue.SimpleQueue[Any]:
        import queue

        jobs = self._jobs = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, args=(jobs,), name="ledger-redaction", daemon=True)
        self._thread.start()
        return jobs

    def _work(self, jobs: queue.SimpleQueue[Any]) -> None:
        while (job := jobs.get()) is not None:
            kind, field, text, answers = job
            try:
                answers.put(self._hook(kind, field, text))
            except BaseException as error:
                # Whatever a hook does, the field is withheld and the thread lives on for the next one.
                answers.put(_Raised(type(error).__name__))


class _Raised:
    def __init__(self, name: str) -> None:
        self.name = name
