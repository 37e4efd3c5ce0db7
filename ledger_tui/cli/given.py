"""Reading ``key=value`` arguments: variables and parameters."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

_PAIR = re.compile(r"([^\s:=@]+)(:?=)(.*)\Z", re.DOTALL)


def variables_of(pairs: Sequence[str]) -> dict[str, Any]:
    """Variables: ``k=text``, ``k=@file`` (``@-`` is standard input), ``k:=JSON``. Raises UsageError, InputError."""
    from ledger_tui.services.reading import MAX_BYTES, read_text_file, text_of

    found: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = _split(pair, "--var")
        if sign == ":=":
            found[key] = _json(key, value)
        elif value == "@-":
            found[key] = text_of(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input")
        elif value.startswith("@@"):
            found[key] = value[1:]
        elif value.startswith("@"):
            found[key] = read_text_file(value[1:])
        else:
            found[key] = value
    return found


def params_of(pairs: Sequence[str]) -> dict[str, Any]:
    """Parameters: a value that is JSON counts as that (``temperature=0.2``), another as text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = _split(pair, "--param")
        try:
            found[key] = json.loads(value)
        except (ValueError, RecursionError):
            found[key] = _json(key, value) if sign == ":=" else value
    return found


def _split(pair: str, option: str) -> tuple[str, str, str]:
    match = _PAIR.match(pair)
    if match is None:
        raise click.UsageError(f"{option} takes key=value, not {pair[:80]!r}")
    return match[1], match[2], match[3]


def _json(key: str, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{key} is not JSON: {error}") from error
