"""Prompts as files: what a file says of a prompt, and the one way to write a prompt so that reading gives it back exactly.

::

    ---
    ledger: 1
    description: "Answers a customer"
    model: "openai/gpt-4o-mini"
    params: {"temperature":0.2}
    ---
    system:
    You are kind.
    user:
    {{ question }}

A file with ``ledger: 1`` is exact: a message is the lines between two role lines, and a line of a message that looks like a
role line has a backslash before it. Other ``.prompty`` files are read leniently; ``.md`` may have front matter and is one user
message; ``.jinja`` is one user message and nothing else. The final line end of a file is not part of a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger_tui.domain import front_matter
from ledger_tui.domain.content import ROLES, Message, PromptContent, canonical_json
from ledger_tui.domain.front_matter import FrontMatterError
from ledger_tui.errors import InputError

FORMAT = 1
SUFFIX = ".prompty"
PLAIN_SUFFIXES = (".jinja", ".jinja2", ".j2")
SUFFIXES = (SUFFIX, ".md", *PLAIN_SUFFIXES)
_NOT_PROMPTS = {"readme.md"}
_FIELDS = ("ledger", "description", "tags", "team", "model", "params", "tools", "response_schema", "messages")
_ROLE_LINE = re.compile(rf"({'|'.join(ROLES)}):\Z")
_LOOKS_LIKE_ROLE = re.compile(rf"\\*(?:{'|'.join(ROLES)}):\Z")
_LOOSE_ROLE_LINE = re.compile(rf"\s*#?\s*({'|'.join(ROLES)})\s*:\s*\Z", re.IGNORECASE)
_WIRES = {"openai": "openai/", "anthropic": "anthropic/"}


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt as a file holds it; ``description``, ``tags`` and ``team`` are None where the file does not say."""

    content: PromptContent
    description: str | None = None
    tags: tuple[str, ...] | None = None
    team: str | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the prompt that the file says, as the registry takes them."""
        found: dict[str, Any] = {"description": self.description, "team": self.team}
        found["tags"] = None if self.tags is None else list(self.tags)
        return {name: value for name, value in found.items() if value is not None}


def prompt_name(path: str) -> str | None:
    """The name that a file's path (with ``/``) means, None when it is no prompt file."""
    if path.rpartition("/")[2].lower() in _NOT_PROMPTS:
        return None
    return next((path.removesuffix(suffix) for suffix in SUFFIXES if path.endswith(suffix)), None)


def format_prompt(prompt: PromptFile) -> str:
    """The text of a prompt's file; the same prompt always gives the same bytes."""
    content = prompt.content
    exact_lines = all("\r" not in message.text for message in content.messages)
    facts: dict[str, Any] = {
        "ledger": FORMAT,
        "description": prompt.description or None,
        "tags": list(prompt.tags or ()) or None,
        "team": prompt.team or None,
        "model": content.model,
        "params": dict(content.params) or None,
        "tools": [dict(tool) for tool in content.tools] or None,
        "response_schema": None if content.response_schema is None else dict(content.response_schema),
        # A carriage return does not survive editors and git: such texts stand in the head, escaped.
        "messages": None if exact_lines else [{"role": m.role, "text": m.text} for m in content.messages],
    }
    head = "".join(f"{name}: {_json(value)}\n" for name, value in facts.items() if value is not None)
    body = "".join(_section(message) for message in content.messages) if exact_lines else ""
    return f"---\n{head}---\n{body}"


def parse_prompt(path: str, text: str) -> PromptFile:
    """What a file says; ``path`` tells the kind. Raises InputError (with the line), ContentRefused."""
    if path.endswith(PLAIN_SUFFIXES):
        return PromptFile(PromptContent.of_text(text.removesuffix("\n")))
    head, body = front_matter.split(text)
    if head is None:
        sections = _loose_sections(body) if path.endswith(SUFFIX) else [Message("user", body.removesuffix("\n"))]
        return PromptFile(PromptContent(tuple(sections)))
    facts = front_matter.parse(head)
    if "ledger" in facts:
        return _exact(facts, body, first_line=head.count("\n") + 3)
    return _lenient(facts, body, has_roles=path.endswith(SUFFIX))


def _json(value: Any) -> str:
    """One line of canonical JSON in which every line end is escaped."""
    return canonical_json(value).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")


def _section(message: Message) -> str:
    lines = ["\\" + line if _LOOKS_LIKE_ROLE.match(line) else line for line in message.text.split("\n")]
    return "\n".join([f"{message.role}:", *lines, ""])


def _exact(facts: Mapping[str, Any], body: str, first_line: int) -> PromptFile:
    if facts["ledger"] != FORMAT:
        raise InputError(
            f"format {facts['ledger']!r}, this release reads {FORMAT}",
            title="This prompt file was written by a newer release",
            remedy="Upgrade ledger-tui. The file was left as it is.",
        )
    unknown = [name for name in facts if name not in _FIELDS]
    if unknown:
        raise FrontMatterError(f"there is no field {unknown[0]!r}; fields are {', '.join(_FIELDS)}", 2)
    given = facts.get("messages")
    messages = _given_messages(given) if given is not None else _exact_sections(body, first_line)
    content = PromptContent(
        tuple(messages),
        _typed(facts, "model", str),
        _typed(facts, "params", dict) or {},
        tuple(_typed(facts, "tools", list) or ()),
        _typed(facts, "response_schema", dict),
    )
    tags = _typed(facts, "tags", list)
    return PromptFile(
        _checked(content),
        _typed(facts, "description", str) or "",
        tuple(map(str, tags or ())),
        _typed(facts, "team", str) or "",
    )


def _typed(facts: Mapping[str, Any], name: str, kind: type) -> Any:
    value = facts.get(name)
    if value is not None and not isinstance(value, kind):
        raise FrontMatterError(f"{name} has the wrong type", 2)
    return value


def _given_messages(given: Any) -> list[Message]:
    try:
        return [Message(str(item["role"]), str(item["text"])) for item in given]
    except (TypeError, KeyError) as error:
        raise FrontMatterError("messages is a list of 'role' and 'text'", 2) from error


def _exact_sections(body: str, first_line: int) -> list[Message]:
    lines = body.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    found: list[tuple[str, list[str]]] = []
    for number, line in enumerate(lines, first_line):
        if role := _ROLE_LINE.match(line):
            found.append((role[1], []))
        elif found:
            found[-1][1].append(line[1:] if line.startswith("\\") and _LOOKS_LIKE_ROLE.match(line) else line)
        elif line.strip():
            raise FrontMatterError("text before the first role line; begin with 'user:'", number)
    return [Message(role, "\n".join(text)) for role, text in found]


def _loose_sections(body: str) -> list[Message]:
    """The messages of a foreign file: blank lines around a message do not count, text before the first role is the system's."""
    found: list[tuple[str, list[str]]] = []
    before: list[str] = []
    for line in body.split("\n"):
        if role := _LOOSE_ROLE_LINE.match(line):
            found.append((role[1].lower(), []))
        else:
            (found[-1][1] if found else before).append(line)
    sections = [Message(role, "\n".join(lines).strip("\n")) for role, lines in found]
    lead = "\n".join(before).strip("\n")
    if not sections:
        return [Message("user", lead)]
    return [Message("system", lead), *sections] if lead.strip() else sections


def _lenient(facts: Mapping[str, Any], body: str, *, has_roles: bool) -> PromptFile:
    language = facts.get("template")
    if isinstance(language, Mapping):
        language = language.get("format") or language.get("type")
    if language not in (None, "jinja2", "jinja"):
        raise InputError(f"its template is {language!r}", title="This prompt is not written in Jinja2")
    model, params = _model(facts.get("model"))
    extra = facts.get("params") or facts.get("parameters")
    params = {**params, **extra} if isinstance(extra, Mapping) else params
    messages = _loose_sections(body) if has_roles else [Message("user", body.strip("\n"))]
    tags = facts.get("tags")
    description = facts.get("description")
    return PromptFile(
        _checked(PromptContent(tuple(messages), model, params)),
        str(description) if description is not None else None,
        tuple(map(str, tags)) if isinstance(tags, list) else None,
    )


def _model(given: Any) -> tuple[str | None, dict[str, Any]]:
    """Model and parameters of a foreign file: a name, or a mapping with the keys that such files use."""
    if not isinstance(given, Mapping):
        return (str(given) if given else None), {}
    configuration = given.get("configuration") or given.get("connection") or {}
    places = [given, configuration] if isinstance(configuration, Mapping) else [given]
    keys = ("id", "name", "model", "azure_deployment", "model_id")
    name = next((str(place[key]) for place in places for key in keys if place.get(key)), None)
    wire = next((str(place[key]) for key in ("provider", "type") for place in places if place.get(key)), "")
    params = given.get("parameters") or given.get("options") or {}
    prefix = "" if name is None or "/" in name else _WIRES.get(wire, "")
    return (prefix + name if name else None), (dict(params) if isinstance(params, Mapping) else {})


def _checked(content: PromptContent) -> PromptContent:
    _ = content.sha256
    return content
