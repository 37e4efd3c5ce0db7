"""A file that a person asked for: whole under its name or not there at all, private, and never in the place of another.

It is written beside its place under a hidden name, flushed to the disk, and given its name at the end.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ledger_tui.errors import InputError, LedgerError

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class NewFile:
    """The file while it is written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = 0
        """Bytes so far."""

    def write(self, piece: bytes) -> None:
        """Append; raises OSError."""
        left = memoryview(piece)
        while left:
            left = left[os.write(self._descriptor, left) :]
        self.size += len(piece)


@contextmanager
def new_file(target: Path, *, replace: bool = False) -> Iterator[NewFile]:
    """Write ``target`` whole (mode 0600), or leave everything as it was when the block raises.

    replace: whether a plain file of that name may be exchanged. A symbolic link is never followed. Raises InputError for a
    place that cannot be used, LedgerError when there is no room.
    """
    check(target, replace=replace)
    part = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}.part")
    with _explained(target):
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(part, flags, 0o600)
        try:
            try:
                if hasattr(os, "fchmod"):
                    os.fchmod(descriptor, 0o600)
                yield NewFile(descriptor)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            check(target, replace=replace)
            _place(part, target, replace)
        finally:
            part.unlink(missing_ok=True)
        _settle(target.parent)


def check(target: Path, *, replace: bool = False) -> None:
    """InputError when a new file cannot be made at ``target``; nothing is touched."""
    if "\x00" in str(target):
        raise InputError("its name holds a NUL", title="The file cannot be written", remedy="Name another file.")
    with _explained(target):
        try:
            found = target.lstat()
        except FileNotFoundError:
            if not target.parent.is_dir():
                raise InputError(
                    str(target.parent), title="This folder does not exist", remedy="Make it, or name another."
                ) from None
            return
    if stat.S_ISLNK(found.st_mode):
        raise InputError(
            str(target),
            title="A symbolic link stands at this place",
            remedy="Links are not followed: name another file.",
        )
    if not stat.S_ISREG(found.st_mode):
        raise InputError(str(target), title="Something that is no file stands at this place", remedy="Name a file.")
    if not replace:
        raise _exists(target)


def _exists(target: Path) -> InputError:
    return InputError(
        str(target), title="A file of this name exists already", remedy="Name another file, or allow it to be replaced."
    )


def _place(part: Path, target: Path, replace: bool) -> None:
    if replace:
        part.replace(target)
        return
    try:
        os.link(part, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:
        # A file system without hard links: the check and the renaming are two steps there.
        if os.path.lexists(target):
            raise _exists(target) from None
        part.rename(target)


def _settle(folder: Path) -> None:
    """Make the name durable too, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.errno in _NO_ROOM:
            raise LedgerError(
                f"{target}: {reason}",
                title="There is no room left for this file",
                remedy="Nothing is left of it. Free some space, or name another folder.",
            ) from error
        title = "This folder cannot be written to" if error.errno in _NOT_ALLOWED else "The file cannot be written"
        raise InputError(f"{target}: {reason}", title=title, remedy="Name a file in a folder of your own.") from error
