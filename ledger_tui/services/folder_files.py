"""One folder that a person named: files are read and written below it and nowhere else, and no symbolic link is followed.

Every step down opens a folder relative to the one above it, so that nothing can be exchanged for a link in between.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger_tui.domain.text import one_line
from ledger_tui.errors import InputError
from ledger_tui.services.reading import text_of

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_FILES = 10_000
MAX_DEPTH = 32
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file below the folder by its path with ``/``; ``problem`` says why it cannot be read, '' when it can."""

    path: str
    problem: str = ""


class Folder:
    """A folder; nothing is opened before it is needed. Errors are InputError with the path and the reason."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()

    def files(self, suffixes: tuple[str, ...]) -> list[FoundFile]:
        """The files with one of the suffixes, by path; hidden ones are left out. Links and devices have a problem."""
        try:
            with self._root() as root:
                found = sorted(self._walk(root, "", suffixes, 0), key=lambda one: one.path)
        except OSError as error:
            raise self._error("", _reason(error)) from error
        if len(found) > MAX_FILES:
            raise self._error("", f"it has more than {MAX_FILES} prompt files")
        return found

    def read(self, path: str, limit_bytes: int = MAX_FILE_BYTES) -> str | None:
        """The UTF-8 text of a file, None when there is none."""
        try:
            with self._root() as root, self._folder_of(root, path) as (folder, name):
                return self._read(folder, name, path, limit_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(path, _reason(error)) from error

    def write(self, path: str, data: bytes) -> bool:
        """Put ``data`` there in one step; False when it is there already. Missing folders are made.

        A new file is as open to others as the folder it comes into, one that is replaced keeps its mode.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self._root() as root, self._folder_of(root, path, make=True) as (folder, name):
                return self._write(folder, name, path, data)
        except OSError as error:
            raise self._error(path, _reason(error), "A file cannot be written") from error

    def _walk(self, folder: int, prefix: str, suffixes: tuple[str, ...], depth: int) -> Iterator[FoundFile]:
        if depth > MAX_DEPTH:
            raise self._error(prefix, f"folders are nested deeper than {MAX_DEPTH}")
        with os.scandir(folder) as entries:
            listed = [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in entries]
        for name, mode in listed:
            path = prefix + name
            if name.startswith((".", "__")):
                continue
            if stat.S_ISDIR(mode):
                inside = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    yield from self._walk(inside, path + "/", suffixes, depth + 1)
                finally:
                    os.close(inside)
            elif name.endswith(suffixes) or stat.S_ISLNK(mode):
                yield FoundFile(path, _kind_problem(mode))

    @contextmanager
    def _root(self) -> Iterator[int]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._error("", _reason(error), "A folder cannot be opened") from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _folder_of(self, root: int, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The folder that a path is in, open, and the last part of the path."""
        *folders, name = path.split("/")
        if any(part in ("", ".", "..") or "\x00" in part for part in (*folders, name)):
            raise self._error(path, "it leads out of the folder")
        descriptor = os.dup(root)
        try:
            for part in folders:
                if make:
                    _make_folder(descriptor, part)
                below = os.open(part, _FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor, name
        finally:
            os.close(descriptor)

    def _read(self, folder: int, name: str, path: str, limit_bytes: int) -> str:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            problem = _kind_problem(os.fstat(descriptor).st_mode)
            if problem:
                raise self._error(path, problem)
            pieces, size = [], 0
            while size <= limit_bytes and (piece := os.read(descriptor, _CHUNK)):
                pieces.append(piece)
                size += len(piece)
        finally:
            os.close(descriptor)
        return text_of(b"".join(pieces), path, limit_bytes)

    def _write(self, folder: int, name: str, path: str, data: bytes) -> bool:
        mode = 0o600 | stat.S_IMODE(os.fstat(folder).st_mode) & 0o044
        try:
            there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            there = None
        if there is not None:
            if problem := _kind_problem(there.st_mode):
                raise self._error(path, problem, "A file cannot be written")
            if there.st_size == len(data) and self._bytes(folder, name, len(data)) == data:
                return False
            mode = stat.S_IMODE(there.st_mode)
        temporary = f".{name[:100]}.{secrets.token_hex(6)}.tmp"
        try:
            _write_new(folder, temporary, data, mode)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            try:
                os.unlink(temporary, dir_fd=folder)
            except OSError:
                pass
            raise
        return True

    def _bytes(self, folder: int, name: str, size: int) -> bytes:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(size + 1)

    def _error(self, path: str, reason: str, title: str = "A file cannot be read") -> InputError:
        return InputError(f"{one_line(str(self.path / path), 160)}: {reason}", title=title)


def _make_folder(parent: int, name: str) -> None:
    try:
        os.mkdir(name, 0o700 | stat.S_IMODE(os.fstat(parent).st_mode) & 0o055, dir_fd=parent)
    except FileExistsError:
        pass


def _write_new(folder: int, name: str, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _kind_problem(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISLNK(mode):
        return "it is a symbolic link, which is not followed"
    return "it is a folder" if stat.S_ISDIR(mode) else "it is a device or a pipe, not a file"


def _reason(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
        return "a part of it is a symbolic link or no folder"
    if error.errno == errno.ENOSPC:
        return "there is no room left on the disk; nothing of this file was written"
    return {errno.ENOENT: "there is no such folder", errno.EACCES: "it may not be opened"}.get(
        error.errno or 0, error.strerror or str(error)
    )
