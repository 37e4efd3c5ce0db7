"""What the playground would run, as Python, command line and curl."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.places.playground.field_values import Filled
from ledger_tui.ui.places.playground.session import Plan

ADDRESS = "http://127.0.0.1:8000/v1/executions:run"


def code_for(plan: Plan, model: str, params: Mapping[str, Any]) -> CodeSubject:
    """The three texts. Secrets are in none of them; values are quoted for the language they stand in."""
    name, fields = plan.session.prompt_name, plan.fields
    if name is None:
        words = "Save the text as a prompt first: ctrl+s."
        return CodeSubject(python=f"# {words}", cli=f"# {words}", curl=_curl(plan, model, params))
    note = "# The text was changed since it was saved; this runs the saved one.\n" if plan.edited else ""
    return CodeSubject(
        python=note + _python(name, plan.session.number, fields, model, params),
        cli=note + _cli(name, plan.session.number, fields, model, params),
        curl=note + _curl(plan, model, params),
    )


def _python(name: str, version: int | None, fields: Sequence[Filled], model: str, params: Mapping[str, Any]) -> str:
    head = ["from ledger_tui import PromptLedger"]
    if any(field.kind == "file" for field in fields):
        head.insert(0, "from pathlib import Path\n")
    call = ["result = PromptLedger().execute(", f"    {name!r},"]
    call += (
        ["    {", *(f"        {field.name!r}: {_python_value(field)}," for field in fields), "    },"] if fields else []
    )
    call += [f"    version={version},"] if version else []
    call += [f"    model={model!r},"]
    call += [f"    params={dict(params)!r},"] if params else []
    return "\n".join([*head, "", *call, ")", 'print(result["output"])'])


def _python_value(field: Filled) -> str:
    if field.kind == "file":
        return f"Path({field.text!r}).read_text('utf-8')"
    if field.kind == "json":
        return repr(_json(field.text))
    return repr(field.text)


def _cli(name: str, version: int | None, fields: Sequence[Filled], model: str, params: Mapping[str, Any]) -> str:
    words = ["ledger-tui", "run", name]
    for field in fields:
        words += ["--var", _pair(field)]
    words += ["--version", str(version)] if version else []
    words += ["--model", model]
    for key, value in params.items():
        words += ["--param", f"{key}={json.dumps(value, ensure_ascii=False)}"]
    return shlex.join([*words, "--stream"])


def _pair(field: Filled) -> str:
    if field.kind == "json":
        return f"{field.name}:={field.text}"
    if field.kind == "file":
        return f"{field.name}=@{field.text}"
    return f"{field.name}={'@' if field.text.startswith('@') else ''}{field.text}"


def _curl(plan: Plan, model: str, params: Mapping[str, Any]) -> str:
    fields, session = plan.fields, plan.session
    body: dict[str, Any] = {"messages": [{"role": m.role, "content": m.text} for m in plan.messages]}
    if session.prompt_name:
        body = {"prompt": session.prompt_name, **({"version": session.number} if session.number else {})}
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
