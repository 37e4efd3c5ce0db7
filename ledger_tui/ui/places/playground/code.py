"""What the playground would run, as Python, command line and curl."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.places.playground.field_values import Filled

ADDRESS = "http://127.0.0.1:8000/v1/executions:run"


def code_for(
    prompt_name: str | None, content: PromptContent, fields: Sequence[Filled], model: str, params: Mapping[str, Any]
) -> CodeSubject:
    """The three texts. Secrets are in none of them; values are quoted for the language they stand in."""
    return CodeSubject(
        python=_python(prompt_name, content.messages, fields, model, params),
        cli=_cli(prompt_name, fields, model) if prompt_name else "# Save the prompt under a name first: ctrl+s",
        curl=_curl(prompt_name, content, fields, model, params),
    )


def _python(
    name: str | None, messages: Sequence[Message], fields: Sequence[Filled], model: str, params: Mapping[str, Any]
) -> str:
    head = ["from ledger_tui import PromptLedger"]
    if any(field.kind == "file" for field in fields):
        head.append("from pathlib import Path")
    variables = ["    variables={"] + [f"        {field.name!r}: {_python_value(field)}," for field in fields] + ["    },"]
    subject = [f"    {name!r},"]
    if name is None:
        head.append("from ledger_tui.domain.content import Message, PromptContent")
        subject = ["    PromptContent((", *(f"        Message({m.role!r}, {m.text!r})," for m in messages), "    )),"]
    extra = [f"    params={dict(params)!r},"] if params else []
    call = ["result = PromptLedger().execute(", *subject, *variables, f"    model={model!r},", *extra, ")"]
    return "\n".join([*head, "", *call, "print(result.output)"])


def _python_value(field: Filled) -> str:
    if field.kind == "file":
        return f"Path({field.text!r}).read_text('utf-8')"
    if field.kind == "json":
        return repr(_json(field.text))
    return repr(field.text)


def _cli(name: str, fields: Sequence[Filled], model: str) -> str:
    words = ["ledger-tui", "run", name]
    for field in fields:
        words += ["--var", f"{field.name}={'@' if field.kind == 'file' else ''}{field.text}"]
    words += ["--model", model, "--stream"]
    return shlex.join(words)


def _curl(
    name: str | None, content: PromptContent, fields: Sequence[Filled], model: str, params: Mapping[str, Any]
) -> str:
    body: dict[str, Any] = {"prompt": name} if name else {
        "messages": [{"role": message.role, "content": message.text} for message in content.messages]
    }
    body["variables"] = {field.name: _json(field.text) if field.kind == "json" else field.text for field in fields}
    body["model"] = model
    if params:
        body["params"] = dict(params)
    data = shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))
    rows = [
        f"curl -X POST {ADDRESS}",
        "-H 'Authorization: Bearer '\"$LEDGER_API_KEY\"",
        "-H 'Content-Type: application/json'",
        f"-d {data}",
    ]
    return " \\\n  ".join(rows)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
