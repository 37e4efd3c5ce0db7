"""The one module that knows where files live."""

from __future__ import annotations

import os
from pathlib import Path

from ledger_tui.frozen import frozen

APP = "ledger-tui"


@frozen
class Paths:
    """The folders of one workspace on this machine."""

    data: Path
    """Database, drafts, spool, backups, device id; mode 0700."""
    config: Path
    """settings.toml, keymap.toml and the user's themes."""

    @property
    def database(self) -> Path:
        """The workspace's SQLite file."""
        return self.data / "ledger.db"

    @property
    def drafts(self) -> Path:
        """Unsaved edits, one file each."""
        return self.data / "drafts"

    @property
    def last_prompt(self) -> Path:
        """The name of the prompt that was open last."""
        return self.data / "last-prompt"

    @property
    def export_folder(self) -> Path:
        """The folder of the last export."""
        return self.data / "export-folder"

    @property
    def arrivals(self) -> Path:
        """What came from colleagues and was not looked at yet."""
        return self.data / "arrivals"

    @property
    def spool(self) -> Path:
        """Recorded spans on their way into the database."""
        return self.data / "spool"

    @property
    def backups(self) -> Path:
        """Verified copies of the database."""
        return self.data / "backups"

    @property
    def settings(self) -> Path:
        """The settings file, TOML."""
        return self.config / "settings.toml"

    @property
    def keymap(self) -> Path:
        """Key bindings by action id, TOML."""
        return self.config / "keymap.toml"

    @property
    def themes(self) -> Path:
        """The user's own themes, TOML files."""
        return self.config / "themes"


def default_paths() -> Paths:
    """The platform's folders; XDG_DATA_HOME and XDG_CONFIG_HOME are honoured everywhere."""
    return Paths(data=_folder("XDG_DATA_HOME", "user_data_path"), config=_folder("XDG_CONFIG_HOME", "user_config_path"))


def _folder(variable: str, function: str) -> Path:
    given = os.environ.get(variable, "")
    if given and Path(given).is_absolute():
        return Path(given) / APP
    import platformdirs

    found: Path = getattr(platformdirs, function)(APP, appauthor=False)
    return found


def shipped_themes() -> Path:
    """The themes of the project: inside the wheel, or beside the package in an editable install."""
    packaged = Path(__file__).parent / "themes"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "themes"
