"""The open prompt as code: how a program, a shell and an HTTP client run it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from ledger_tui.domain.values import ACTIVE, VersionRow
from ledger_tui.ui.code import CodeSubject


def code_of(name: str, variables: Sequence[str], version: VersionRow | None) -> CodeSubject:
    """Code that runs a prompt with its variables; a version that is not active is named."""
    pinned = version is not None and ACTIVE not in version.labels
    number = version.number if version is not None and pinned else None
    values = dict.fromkeys(variables, "...")
    version_python = f", version={number}" if number else ""
    python = (
        "from ledger_tui import PromptLedger\n\n"
        "ledger = PromptLedger()\n"
        f"result = ledger.execute({json.dumps(name)}, {json.dumps(values, ensure_ascii=False)}{version_python})\n"
        'print(result["output"])\n'
    )
    options = [f"--var {shlex.quote(f'{variable}=...')}" for variable in variables]
    if number:
        options.append(f"--version {number}")
    cli = " ".join(["ledger-tui run", shlex.quote(name), *options, "--stream"])
    body: dict[str, object] = {"variables": values, "mode": "sync"}
    if number:
        body["version"] = number
    curl = (
        f"curl -X POST http://127.0.0.1:8000/v1/prompts/{name}/execute \\\n"
        '  -H "X-API-Key: $LEDGER_API_KEY" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False))}"
    )
    return CodeSubject(python, cli, curl)
