"""Unsaved edits, one small file each and apart from the database, so that no crash and no damage costs a person a text.

A draft need not be valid: it may hold half a template, a NUL or a broken character. Files are replaced atomically; one
that cannot be read is moved aside and reported, never fatal.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ledger_tui.domain import clock
from ledger_tui.errors import ContentRefused, DatabaseFull, StoreError
from ledger_tui.paths import Paths

_ABANDONED_S = 3600
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Draft:
    """An edit that is not saved yet."""

    key: str
    """The prompt's name or id, or ``new:<uuid>`` for a prompt that has no name yet."""
    name: str = ""
    description: str = ""
    content: dict[str, Any] = field(default_factory=dict)
    """Plain JSON: messages, model, params ...; need not be valid."""
    based_on: str | None = None
    """The id of the version that the edit began from."""
    message: str = ""
    updated_us: int = 0
    """When it was kept; 0 lets ``keep`` say now."""


class DraftService:
    """Keeps drafts under ``paths.drafts``. Thread-safe; where processes share the folder, the last one to keep wins."""

    def __init__(self, paths: Paths) -> None:
        self._folder = paths.drafts
        self._lock = threading.Lock()

    def keep(self, key: str, draft: Draft) -> None:
        """Store ``draft`` under ``key``; on return it survives a crash. What is stored already is not written again.

        Raises DatabaseFull or StoreError, and then the earlier draft is still there; ContentRefused for content that is
        not plain JSON.
        """
        draft = replace(draft, key=key, updated_us=draft.updated_us or clock.now_us())
        try:
            data = json.dumps(asdict(draft)).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ContentRefused(f"the draft is not plain JSON ({error})") from error
        with self._lock:
            path = self._path(key)
            stored = self._read(path)
            if stored is not None and _bare(stored) == _bare(data):
                return
            try:
                self._make_folder()
                _write_atomically(path, data)
            except OSError as error:
                raise _refusal(error) from error

    def get(self, key: str) -> Draft | None:
        """The draft under ``key``, None when there is none (a damaged file is moved aside). Raises StoreError."""
        path = self._path(key)
        with self._lock:
            data = self._read(path)
            return None if data is None else self._draft(path, data)

    def drop(self, key: str) -> None:
        """Forget the draft under ``key``, if there is one. Raises StoreError."""
        with self._lock:
            try:
                self._path(key).unlink(missing_ok=True)
            except OSError as error:
                raise _refusal(error) from error

    def all(self) -> list[Draft]:
        """All drafts, newest first; damaged files are moved aside and left out."""
        found: list[Draft] = []
        with self._lock:
            for path in self._files():
                with suppress(StoreError):
                    data = self._read(path)
                    draft = None if data is None else self._draft(path, data)
                    if draft is not None:
                        found.append(draft)
        return sorted(found, key=lambda draft: (-draft.updated_us, draft.key))

    def problems(self) -> list[StoreError]:
        """One error for each draft that could not be read, until its file is taken away."""
        self.all()
        with self._lock:
            damaged = sorted(self._folder.glob("*.damaged")) if self._folder.is_dir() else []
            unreadable = [path for path in self._files() if not _is_regular(path)]
        return [
            StoreError(
                str(path),
                title="A draft could not be read",
                remedy="Other drafts are not touched. Look into the file for your text, then delete it.",
            )
            for path in (*damaged, *unreadable)
        ]

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(self._folder.stat().st_mode) != 0o700:
            with suppress(OSError):
                self._folder.chmod(0o700)

    def _files(self) -> Iterator[Path]:
        """The files of drafts; what an interrupted write left behind is cleared away."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            if path.suffix == ".json":
                yield path
            elif path.suffix == ".tmp":
                with suppress(OSError):
                    if time.time() - path.lstat().st_mtime > _ABANDONED_S:
                        path.unlink()

    def _read(self, path: Path) -> bytes | None:
        try:
            if not _is_regular(path):
                return None
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refusal(error) from error

    def _draft(self, path: Path, data: bytes) -> Draft | None:
        try:
            draft = _decoded(data)
            if self._path(draft.key) != path:
                raise ValueError("the file belongs to another key")
        except (ValueError, TypeError, RecursionError):
            with suppress(OSError):
                path.replace(path.with_name(f"{path.stem}-{time.time_ns()}.damaged"))
            return None
        return draft


def _decoded(data: bytes) -> Draft:
    """The draft of a file's bytes; ValueError or TypeError when it is none. Fields of a newer release are left out."""
    document = json.loads(data)
    if not isinstance(document, dict):
        raise TypeError("not a mapping")
    draft = Draft(**{f.name: document[f.name] for f in fields(Draft) if f.name in document})
    texts = (draft.key, draft.name, draft.description, draft.message, draft.based_on or "")
    if not all(isinstance(text, str) for text in texts) or not isinstance(draft.content, dict):
        raise TypeError("a field has the wrong type")
    if not isinstance(draft.updated_us, int):
        raise TypeError("the time is not a number")
    return draft


def _bare(data: bytes) -> bytes:
    """A draft's bytes without the time, which is written last."""
    return data.rpartition(b', "updated_us":')[0]


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return True


def _write_atomically(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.stem}-{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where a folder can be opened at all."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refusal(error: OSError) -> StoreError:
    if error.errno in _NO_ROOM:
        return DatabaseFull(
            f"the draft was not kept ({error.strerror})",
            remedy="The earlier draft is still there. Free some space on the disk; your text stays on the screen.",
        )
    return StoreError(
        f"the draft was not kept ({error})",
        title="The draft could not be read or written",
        remedy="Check the permissions of the drafts folder; your text stays on the screen.",
    )
