"""The settings file as text: edited with its comments and order kept, and replaced at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ledger_tui.errors import SettingsError


def edited(source: str, file: str, place: tuple[str, ...], value: Any) -> str:
    """``source`` with the value at ``place`` set, or taken out for None; SettingsError when it is no TOML."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(source)
        table: Any = document
        for name in place[:-1]:
            if name not in table:
                table.add(name, tomlkit.table(is_super_table=name == "providers"))
            table = table[name]
        if value is not None:
            table[place[-1]] = value
        elif place[-1] in table:
            table.remove(place[-1])
        return tomlkit.dumps(document)
    except (TOMLKitError, AttributeError, TypeError) as error:
        line = getattr(error, "line", 0)
        raise SettingsError(
            str(error), file=file, line=line, remedy="Mend the file first; it was left as it is."
        ) from error


def replace(target: Path, text: str) -> None:
    """Write ``text`` in the place of the file, readable by its owner only; SettingsError, then nothing was changed."""
    import tempfile

    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".settings-", dir=target.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(str(error), file=str(target), remedy="Nothing was changed; check the folder.") from error
