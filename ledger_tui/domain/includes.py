"""What ``{% include "shared/tone" %}`` means: which prompts a text is made from, found before anything is rendered.

Pure: how a name is looked up and how a text is analysed comes from outside. Every name is looked up once for all messages
of a prompt, so that a label that moves meanwhile changes nothing halfway. Of a prompt with several messages the one with
the role of the including message is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ledger_tui.domain.content import Message
from ledger_tui.domain.names import check_prompt_name
from ledger_tui.domain.template import Analysis, IncludeUse, Problem, VariableUse
from ledger_tui.domain.values import ACTIVE
from ledger_tui.errors import IncludeRefused, NameRefused, TemplateError, TemplateTooExpensive

MAX_DEPTH = 8
"""How many includes may stand inside each other."""
MAX_INCLUDES = 500
"""How many included texts a message may come to when every include is followed once."""
MAX_BYTES = 1024 * 1024
"""Of those texts together."""


class Reference(NamedTuple):
    """A name in an include: a prompt, and which of its versions."""

    prompt: str
    ref: str
    """A label (``active`` where nothing is written), a number (``3``, ``v3``) or the beginning of a hash."""


class Included(NamedTuple):
    """A version that a name stands for."""

    version_id: str
    prompt: str
    number: int
    messages: tuple[Message, ...]

    @property
    def title(self) -> str:
        """``shared/tone v3``."""
        return f"{self.prompt} v{self.number}"


class Origin(NamedTuple):
    """Whose text is composed; None for a text that was never saved."""

    prompt: str | None = None
    version_id: str | None = None


class Plan(NamedTuple):
    """What rendering needs: for each message the text of every name, and the version behind every name."""

    texts: tuple[Mapping[str, str], ...]
    versions: Mapping[str, Included]

    def used(self, names: Sequence[str]) -> tuple[Included, ...]:
        """The versions behind names in their order, each version once."""
        return tuple({self.versions[name].version_id: self.versions[name] for name in names}.values())


NO_ORIGIN = Origin()
NO_PLAN = Plan((), {})
LookUp = Callable[[Reference], Included]
"""Raises IncludeRefused for a prompt, label or version that does not exist."""
Analyse = Callable[[str], Analysis]


def reference(name: str) -> Reference:
    """Read a name as it stands in an include; raises IncludeRefused for what cannot be a prompt, such as a path."""
    prompt, mark, ref = name.partition("@")
    try:
        check_prompt_name(prompt)
    except NameRefused as error:
        raise IncludeRefused(
            f"{name!r} names no prompt ({error.cause}); only prompts of this ledger can be included"
        ) from None
    if mark and not ref.strip():
        raise IncludeRefused(f"{name!r} names no version: write a label or a number after @")
    return Reference(prompt, ref.strip() or ACTIVE)


def nothing_to_include(wanted: Reference) -> Included:
    """The look-up where there is no registry."""
    raise IncludeRefused(f"there is no registry to look up {wanted.prompt} in")


def message_for(found: Included, role: str) -> str:
    """The text that an include in a message of ``role`` takes: the message with that role, else the only message."""
    same = [message for message in found.messages if message.role == role]
    fitting = same or found.messages
    if len(fitting) == 1:
        return fitting[0].text
    how_many = f"has {len(same)} {role} messages" if same else f"has {len(fitting)} messages and none of role {role}"
    raise IncludeRefused(
        f"{found.title} {how_many}, so it is not clear which is meant",
        remedy="Include a prompt with one message, or with one message of the same role.",
    )


@dataclass(frozen=True, slots=True)
class _Reached:
    """What following a name came to."""

    depth: int
    count: int
    size: int
    variables: tuple[str, ...]


@dataclass
class Composer:
    """Follows the includes of one prompt's messages."""

    look_up: LookUp
    analyse: Analyse
    origin: Origin = NO_ORIGIN
    versions: dict[str, Included] = field(default_factory=dict)
    """What each name stands for."""
    _reached: dict[tuple[str, str], _Reached] = field(default_factory=dict)

    def plan(self, messages: Sequence[Message]) -> Plan:
        """Everything that rendering ``messages`` needs; raises IncludeRefused, TemplateTooExpensive and other TemplateErrors.

        The error names line and column of the include in the message, and ``message_number``.
        """
        texts = []
        for number, message in enumerate(messages, 1):
            try:
                found = self.analyse(message.text)
                self._sum(found.includes, message.role, (), 0)
            except TemplateError as error:
                error.message_number = number
                raise
            texts.append({name: message_for(self.versions[name], message.role) for name in self._names(message)})
        return Plan(tuple(texts), self.versions)

    def complete(self, analysis: Analysis, role: str) -> Analysis:
        """``analysis`` of a message with the variables that its includes ask for, and what is wrong with them."""
        variables, problems = list(analysis.variables), list(analysis.problems)
        for use in analysis.includes:
            try:
                reached = self._sum((use,), role, (), 0)
            except TemplateError as error:
                problems.append(Problem(use.line, use.column, use.end_column, error.cause))
                continue
            variables += [VariableUse(name, use.line, use.column) for name in reached.variables]
        variables.sort(key=lambda use: (use.line, use.column))
        problems.sort(key=lambda problem: (problem.line, problem.column))
        return Analysis(tuple(variables), tuple(problems), analysis.includes)

    def _names(self, message: Message) -> list[str]:
        """All names that a message reaches, itself or through others."""
        names: dict[str, None] = {}
        waiting = [use.name for use in self.analyse(message.text).includes]
        while waiting:
            name = waiting.pop()
            if name not in names:
                names[name] = None
                waiting += [use.name for use in self.analyse(message_for(self.versions[name], message.role)).includes]
        return list(names)

    def _sum(self, uses: Sequence[IncludeUse], role: str, above: tuple[Included, ...], depth: int) -> _Reached:
        """What several includes of one text come to together; errors get the place of the include."""
        deepest = count = size = 0
        variables: dict[str, None] = {}
        for use in uses:
            try:
                one = self._follow(use.name, role, above, depth)
                deepest, count, size = max(deepest, one.depth), count + one.count, size + one.size
                _check_extent(depth + deepest, count, size)
            except TemplateError as error:
                raise type(error)(
                    error.cause, line=use.line, column=use.column, title=error.title, remedy=error.remedy
                ) from None
            variables.update(dict.fromkeys(name for name in one.variables if name not in use.bound))
        return _Reached(deepest, count, size, tuple(variables))

    def _follow(self, name: str, role: str, above: tuple[Included, ...], depth: int) -> _Reached:
        found = self._found(name, above)
        known = self._reached.get((name, role))
        if known is None:
            _check_extent(depth + 1, 0, 0)
            text = message_for(found, role)
            analysis = self.analyse(text)
            wrong = next((problem for problem in analysis.problems if problem.severity == "error"), None)
            if wrong is not None:
                raise IncludeRefused(f"in {found.title}, line {wrong.line}, column {wrong.column}: {wrong.message}")
            try:
                inner = self._sum(analysis.includes, role, (*above, found), depth + 1)
            except TemplateError as error:
                raise type(error)(
                    f"in {found.title}, line {error.line}, column {error.column}: {error.cause}",
                    title=error.title,
                    remedy=error.remedy,
                ) from None
            names = dict.fromkeys((*analysis.names, *inner.variables))
            known = _Reached(inner.depth + 1, inner.count + 1, inner.size + len(text.encode()), tuple(names))
            self._reached[name, role] = known
        return known

    def _found(self, name: str, above: tuple[Included, ...]) -> Included:
        """The version that a name stands for; IncludeRefused when that version is being included already."""
        found = self.versions.get(name)
        wanted = reference(name)
        if found is None:
            if self._is_own(wanted):
                raise _cycle([wanted.prompt], wanted.prompt)
            found = self.versions[name] = self.look_up(wanted)
        path = [*([self.origin.version_id] if self.origin.version_id else []), *(one.version_id for one in above)]
        if found.version_id in path:
            titles = [*([str(self.origin.prompt)] if self.origin.version_id else []), *(one.prompt for one in above)]
            raise _cycle(titles[path.index(found.version_id) :], found.prompt)
        return found

    def _is_own(self, wanted: Reference) -> bool:
        """Whether a text that is not saved yet includes what it will be once it is saved."""
        return not self.origin.version_id and wanted == Reference(self.origin.prompt or "", ACTIVE)


def _cycle(path: Sequence[str], again: str) -> IncludeRefused:
    return IncludeRefused(
        f"a cycle: {' → '.join([*path, again])}",
        title="Prompts include each other in a circle",
        remedy="Take one of the includes out, or pin it to a version that does not include the others.",
    )


def _check_extent(depth: int, count: int, size: int) -> None:
    remedy = "Include fewer or smaller prompts."
    if depth > MAX_DEPTH:
        raise TemplateTooExpensive(f"more than {MAX_DEPTH} includes stand inside each other", remedy=remedy)
    if count > MAX_INCLUDES:
        raise TemplateTooExpensive(f"its includes come to more than {MAX_INCLUDES} texts", remedy=remedy)
    if size > MAX_BYTES:
        raise TemplateTooExpensive(f"its includes come to more than {MAX_BYTES // 1024} kB", remedy=remedy)
