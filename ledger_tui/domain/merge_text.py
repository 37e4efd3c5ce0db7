"""A version as one text that can be merged by lines and read back: a prompt file with a line for each parameter and tool."""

from __future__ import annotations

from dataclasses import replace

from ledger_tui.domain.content import PromptContent, canonical_json
from ledger_tui.domain.merge import has_marks
from ledger_tui.domain.prompt_files import SUFFIX, PromptFile, format_prompt, parse_prompt
from ledger_tui.errors import ContentRefused


def document(content: PromptContent) -> str:
    """The text of a version."""
    plain = format_prompt(PromptFile(replace(content, params={}, tools=())))
    head, mark, body = plain[4:].partition("---\n")
    spread = ""
    if content.params:
        spread += "params:\n" + "".join(
            f"  {canonical_json(key)}: {_one_line(content.params[key])}\n" for key in sorted(content.params)
        )
    if content.tools:
        spread += "tools:\n" + "".join(f"  - {_one_line(dict(tool))}\n" for tool in content.tools)
    return f"---\n{head}{spread}{mark}{body}"


def read(text: str) -> PromptContent:
    """The version that a text says; raises ContentRefused where something is undecided, InputError (with the line)."""
    if has_marks(text):
        raise ContentRefused(
            "a part of it is not decided yet", title="Undecided", remedy="Take mine, theirs or both of each conflict."
        )
    return parse_prompt(SUFFIX, text).content


def _one_line(value: object) -> str:
    return canonical_json(value).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")
