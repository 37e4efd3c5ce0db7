"""Writes ``docs/reference.md`` from the code: ``python -m tests.reference``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import click

FILE = Path(__file__).parent.parent / "docs" / "reference.md"


def reference() -> str:
    """The whole text."""
    parts = [
        "# Reference\n\nWritten by `python -m tests.reference`; change the code, not this file.\n",
        *_keys(),
        *_settings(),
        *_filter(),
        *_commands(),
        *_themes(),
    ]
    return "\n".join(parts)


def _table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    names = list(headers)
    return "\n".join([line(names), "|" + "---|" * len(names), *map(line, rows)]) + "\n"


def _keys() -> Iterator[str]:
    import ledger_tui.ui
    from ledger_tui.ui.actions import group_title
    from ledger_tui.ui.watch import known_actions

    for module in walk_packages(ledger_tui.ui.__path__, "ledger_tui.ui."):
        import_module(module.name)
    yield "## Keys\n\nThe ids are what `keymap.toml` maps to keys.\n"
    groups: dict[str, list[list[str]]] = {}
    for action in known_actions():
        keys = " ".join(f"`{key}`" for key in action.default_keys)
        words = action.tooltip or action.title
        groups.setdefault(group_title(action.id), []).append([keys, words, f"`{action.id}`"])
    for title, rows in sorted(groups.items()):
        yield f"### {title}\n"
        yield _table(["keys", "what", "id"], sorted(rows, key=lambda row: row[2]))


def _settings() -> Iterator[str]:
    from ledger_tui.settings import OPTIONS, PROVIDER_OPTIONS

    yield "## Settings\n\nIn `settings.toml`; a variable of the environment wins.\n"
    rows = [[f"`{o.key}`", o.kind, f"`{o.default!r}`", f"`{o.env}`" if o.env else "", o.doc] for o in OPTIONS]
    yield _table(["setting", "kind", "default", "variable", "what"], rows)
    yield "### Providers\n\nIn a table `[providers.<name>]`.\n"
    rows = [[f"`{o.key}`", o.kind, f"`{o.default!r}`", o.doc] for o in PROVIDER_OPTIONS]
    yield _table(["setting", "kind", "default", "what"], rows)


def _filter() -> Iterator[str]:
    from ledger_tui.domain.filter_fields import FIELDS

    yield "## Filter\n\nTerms stand side by side and all must hold; `a,b` is either, `-` turns round, `*` is any text.\n"
    rows = [[f"`{f.name}`", f"`{f.example}`", f.help, ", ".join(f"`{alias}`" for alias in f.aliases)] for f in FIELDS]
    yield _table(["field", "example", "what", "also"], rows)


def _commands() -> Iterator[str]:
    from ledger_tui.cli.app import main

    yield "## Commands\n"
    for path, command in commands(main, "ledger-tui"):
        yield f"### {path}\n\n{(command.help or '').strip()}\n"
        rows = [
            [", ".join(f"`{opt}`" for opt in (*p.opts, *p.secondary_opts)), p.help or ""]
            for p in command.params
            if isinstance(p, click.Option)
        ]
        if rows:
            yield _table(["option", "what"], rows)


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, groups before their members."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{path} {name}")


def _themes() -> Iterator[str]:
    from ledger_tui.paths import shipped_themes

    yield "## Themes\n"
    files = sorted(shipped_themes().glob("*.toml"))
    themes = [tomllib.loads(file.read_text()) for file in files]
    yield _table(["theme", "ground"], [[f"`{t['name']}`", "dark" if t.get("dark", True) else "light"] for t in themes])


if __name__ == "__main__":
    FILE.write_text(reference())
    print(f"{FILE} is written")
