"""Folders and files of the ledger: private from the first byte, never through a symbolic link, locked while migrated.

A SQLite file that may be open anywhere in this process is never opened here, only looked at with ``stat``: closing
such a descriptor would drop the locks that SQLite holds on the file.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger_tui.errors import DatabaseForeign, DatabaseLocked, DatabaseUnavailable
from ledger_tui.paths import Paths

COMPANIONS = ("-wal", "-shm", "-journal")
_NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "smb2",
    "9p",
    "afs",
    "ncpfs",
    "ceph",
    "glusterfs",
    "lustre",
    "davfs",
}
_NETWORK_FUSE = (
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.davfs",
    "fuse.s3fs",
    "fuse.gcsfuse",
    "fuse.smbnetfs",
)


def private_folder(folder: Path) -> None:
    """Make ``folder`` with mode 0700 whatever the umask, or tighten it; DatabaseUnavailable when it is not ours."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            pass
    check_folder(folder, private=True)
    if stat.S_IMODE(folder.stat().st_mode) != 0o700:
        folder.chmod(0o700)


def check_folder(folder: Path, *, private: bool) -> None:
    """Refuse a folder that belongs to somebody else (a shared folder of the system is fine unless ``private``)."""
    if not hasattr(os, "geteuid"):
        return
    owner = folder.stat().st_uid
    allowed = {os.geteuid()} if private else {os.geteuid(), 0}
    if owner not in allowed:
        raise DatabaseUnavailable(
            str(folder),
            title="The data folder belongs to somebody else",
            remedy="Set XDG_DATA_HOME to a folder of your own, or run as its owner.",
        )


def check_database(path: Path) -> int | None:
    """Size of the database file in bytes, None when there is none; DatabaseForeign for what must not be opened."""
    size: int | None = None
    for name in (path, *(path.with_name(path.name + suffix) for suffix in COMPANIONS)):
        try:
            found = name.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found.st_mode):
            what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no regular file"
            raise DatabaseForeign(
                f"{name} is {what}",
                title="The ledger file is not a plain file",
                remedy="Give the path of the file itself; a link could point anywhere.",
            )
        if name == path:
            size = found.st_size
    return size


def tighten(path: Path) -> None:
    """Close our database file and its companions to everybody else (mode 0600)."""
    if not hasattr(os, "geteuid"):
        return
    for name in (path, *(path.with_name(path.name + suffix) for suffix in COMPANIONS)):
        try:
            found = name.lstat()
            if stat.S_IMODE(found.st_mode) & 0o077 and found.st_uid == os.geteuid():
                name.chmod(0o600)
        except FileNotFoundError:
            continue


def create_private(path: Path) -> None:
    """Make an empty file with mode 0600 whatever the umask; FileExistsError when something is there."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def backups_folder(database: Path, paths: Paths) -> Path:
    """Where copies of this database lie; a file outside of the data folder gets a folder of its own there."""
    if database == paths.database:
        return paths.backups
    import hashlib

    digest = hashlib.sha256(str(database).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return paths.backups / f"{database.stem}-{digest}"


def change_mark(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """When a SQLite file and its log were last written to and how large they are; None for one that is not there."""
    marks: list[tuple[int, int] | None] = []
    for one in (path, path.with_name(path.name + "-wal")):
        try:
            found = one.stat()
        except OSError:
            marks.append(None)
        else:
            marks.append((found.st_mtime_ns, found.st_size))
    return tuple(marks)


@contextmanager
def exclusive_lock(path: Path, *, timeout_s: float = 60.0) -> Iterator[None]:
    """Hold an operating-system lock on ``path`` (made when missing); DatabaseLocked after ``timeout_s`` seconds.

    The lock goes with the process, so a killed one leaves nothing behind but an empty file.
    """
    flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
        until = time.monotonic() + timeout_s
        while not try_lock(descriptor):
            if time.monotonic() > until:
                raise DatabaseLocked(f"another process holds {path}", title="Another process is changing the ledger")
            time.sleep(0.02)
        yield
    finally:
        # A process that was forked meanwhile has the descriptor too: closing ours alone would leave it the lock.
        let_go(descriptor)
        os.close(descriptor)


if sys.platform == "win32":

    def try_lock(descriptor: int) -> bool:
        """Lock the file for this descriptor alone, until it is closed; False when somebody else has it."""
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def let_go(descriptor: int) -> None:
        """The lock goes when the descriptor is closed: nobody else can have it here."""

else:

    def try_lock(descriptor: int) -> bool:
        """Lock the file for this descriptor alone, until it is closed; False when somebody else has it."""
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def let_go(descriptor: int) -> None:
        """Give the lock up, for every process that shares the descriptor."""
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)


def network_file_system(path: Path) -> str | None:
    """The type of the network file system under ``path``, None on a local disk or where the system does not say."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    best, kind = "", ""
    where = str(path.resolve())
    for line in mounts:
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        mount = fields[4].encode().decode("unicode_escape")
        inside = mount == "/" or where == mount or where.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, right.split()[0]
    return kind if kind in _NETWORK or kind.startswith(_NETWORK_FUSE) else None
