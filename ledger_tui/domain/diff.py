"""What changed between two texts or two versions: lines first, then the words inside changed lines.

Pure, and bounded on any input (``diff_match``): where it had to be coarser, a note says so. Call it off the event loop.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.diff_match import Marks, Work, anchors_of, mark_words, matching, paired

Kind = Literal["same", "changed", "added", "removed"]


class Row(NamedTuple):
    """One line of the side-by-side view; numbers are 1-based, a side that has no line is None."""

    kind: Kind
    old_number: int | None
    new_number: int | None
    old: str | None
    new: str | None
    old_marks: Marks = ()
    new_marks: Marks = ()


class UnifiedLine(NamedTuple):
    """One line of the unified view; ``sign`` is a space, ``-`` or ``+``."""

    sign: str
    old_number: int | None
    new_number: int | None
    text: str
    marks: Marks = ()


@dataclass(frozen=True)
class TextDiff:
    """The rows of two texts, how many lines were added and removed, and what the reader has to know (``note``)."""

    rows: tuple[Row, ...]
    added: int
    removed: int
    note: str = ""

    @property
    def same(self) -> bool:
        """Whether both texts are equal."""
        return not (self.added or self.removed)

    def unified(self) -> Iterator[UnifiedLine]:
        """The rows as one column: in each run of changes the removed lines stand before the added ones."""
        waiting: list[UnifiedLine] = []
        for row in self.rows:
            if row.kind == "same":
                yield from waiting
                waiting.clear()
                yield UnifiedLine(" ", row.old_number, row.new_number, row.new or "")
                continue
            if row.old is not None:
                yield UnifiedLine("-", row.old_number, None, row.old, row.old_marks)
            if row.new is not None:
                waiting.append(UnifiedLine("+", None, row.new_number, row.new, row.new_marks))
        yield from waiting


@dataclass(frozen=True)
class Section:
    """One part of a prompt: a message, the model, the parameters, the tools or the response schema."""

    title: str
    kind: Kind
    diff: TextDiff


@dataclass(frozen=True)
class ContentDiff:
    """What differs between two versions, part by part, unchanged parts included."""

    sections: tuple[Section, ...]

    @property
    def added(self) -> int:
        """Lines added in all parts."""
        return sum(section.diff.added for section in self.sections)

    @property
    def removed(self) -> int:
        """Lines removed in all parts."""
        return sum(section.diff.removed for section in self.sections)

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return all(section.kind == "same" for section in self.sections)

    @property
    def notes(self) -> tuple[str, ...]:
        """Where the diff is coarser than usual, without repetition."""
        return tuple(dict.fromkeys(section.diff.note for section in self.sections if section.diff.note))


@dataclass
class _Rows:
    """Rows in the making."""

    work: Work
    rows: list[Row] = field(default_factory=list)
    added: int = 0
    removed: int = 0

    def same(self, old: Sequence[str], i: int, j: int, count: int) -> None:
        self.rows.extend(Row("same", i + step + 1, j + step + 1, old[i + step], old[i + step]) for step in range(count))

    def replace(self, old: Sequence[str], new: Sequence[str], span: tuple[int, int, int, int]) -> None:
        i1, i2, j1, j2 = span
        self.removed += i2 - i1
        self.added += j2 - j1
        for i, j in paired(old[i1:i2], new[j1:j2], self.work):
            if i is None and j is not None:
                self.rows.append(Row("added", None, j1 + j + 1, None, new[j1 + j]))
            elif j is None and i is not None:
                self.rows.append(Row("removed", i1 + i + 1, None, old[i1 + i], None))
            elif i is not None and j is not None:
                before, after = old[i1 + i], new[j1 + j]
                marks = mark_words(before, after, self.work)
                self.rows.append(Row("changed", i1 + i + 1, j1 + j + 1, before, after, *marks))


def diff_text(old: str, new: str) -> TextDiff:
    """The diff of two texts by lines (separated by a line feed), with words marked inside changed lines."""
    return _diff(old, new, Work())


def diff_contents(old: PromptContent, new: PromptContent) -> ContentDiff:
    """What differs between two versions: messages by position and role, model, parameters by key, tools, schema."""
    work = Work()
    sections = [_message_section(before, after, work) for before, after in _message_pairs(old.messages, new.messages)]
    parts = (
        ("model", old.model or "", new.model or ""),
        ("parameters", _by_key(old.params), _by_key(new.params)),
        ("tools", _pretty(list(old.tools)), _pretty(list(new.tools))),
        ("response schema", _pretty(old.response_schema), _pretty(new.response_schema)),
    )
    for title, before_text, after_text in parts:
        if before_text or after_text:
            sections.append(_section(title, before_text or None, after_text or None, work))
    return ContentDiff(tuple(sections))


def _by_key(params: Mapping[str, Any]) -> str:
    return "\n".join(f"{key}: {_json(params[key])}" for key in sorted(params))


def _pretty(value: Any) -> str:
    return _json(value, indent=2) if value else ""


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _section(title: str, old: str | None, new: str | None, work: Work) -> Section:
    if old is None:
        lines = (new or "").split("\n")
        rows = tuple(Row("added", None, number, None, line) for number, line in enumerate(lines, 1))
        return Section(title, "added", TextDiff(rows, len(rows), 0))
    if new is None:
        rows = tuple(Row("removed", number, None, line, None) for number, line in enumerate(old.split("\n"), 1))
        return Section(title, "removed", TextDiff(rows, 0, len(rows)))
    diff = _diff(old, new, work)
    return Section(title, "same" if diff.same else "changed", diff)


Numbered = tuple[int, Message]


def _message_section(old: Numbered | None, new: Numbered | None, work: Work) -> Section:
    number, message = new or old or (0, Message("", ""))
    title = f"message {number} · {message.role}"
    if old and new and old[1].role != new[1].role:
        title = f"message {number} · {old[1].role} → {new[1].role}"
    elif old and new and old[0] != new[0]:
        title += f" (was message {old[0]})"
    section = _section(title, old[1].text if old else None, new[1].text if new else None, work)
    renamed = bool(old and new and old[1].role != new[1].role)
    return Section(title, "changed", section.diff) if renamed else section


def _message_pairs(old: Sequence[Message], new: Sequence[Message]) -> Iterator[tuple[Numbered | None, Numbered | None]]:
    """Messages that belong together: equal ones in order, then those of one role in the gaps, then by position."""
    done_old = done_new = 0
    anchors = [*anchors_of(list(range(len(old))), list(range(len(new))), old, new), (len(old), len(new))]
    for i, j in anchors:
        yield from _gap_pairs(
            list(enumerate(old[done_old:i], done_old + 1)), list(enumerate(new[done_new:j], done_new + 1))
        )
        if i < len(old) and j < len(new):
            yield (i + 1, old[i]), (j + 1, new[j])
        done_old, done_new = i + 1, j + 1


def _gap_pairs(old: list[Numbered], new: list[Numbered]) -> Iterator[tuple[Numbered | None, Numbered | None]]:
    if len(old) == len(new):
        yield from zip(old, new, strict=True)
        return
    while old and new:
        if old[0][1].role == new[0][1].role:
            yield old.pop(0), new.pop(0)
        elif len(old) > len(new):
            yield old.pop(0), None
        else:
            yield None, new.pop(0)
    yield from ((left, None) for left in old)
    yield from ((None, left) for left in new)


def _diff(old: str, new: str, work: Work) -> TextDiff:
    before, after = old.split("\n"), new.split("\n")
    own = Work(work.words_left, work.lines_left)
    made = _Rows(own)
    done_old = done_new = 0
    for i, j, count in [*matching(before, after, own), (len(before), len(after), 0)]:
        if done_old < i or done_new < j:
            made.replace(before, after, (done_old, i, done_new, j))
        made.same(before, i, j, count)
        done_old, done_new = i + count, j + count
    work.words_left, work.lines_left = own.words_left, own.lines_left
    return TextDiff(tuple(made.rows), made.added, made.removed, own.note)
