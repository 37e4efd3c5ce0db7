"""What git knows of files, asked of the git command: the commit, the path in the repository, and whether a file differs.

Git is asked read-only and without hooks, file-system monitors, prompts, lazy fetches or the caller's ``GIT_*`` variables, each
time within a limit. No git, no repository, or no answer in time all mean: nothing is known.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

TIME_LIMIT_S = 5.0
MAX_BLOB_BYTES = 2 * 1024 * 1024
_SAFE = (
    "--no-optional-locks", "--no-pager", "--literal-pathspecs",
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GitFacts:
    """Where a text came from. ``dirty``: the file is not what that commit holds; None: not known."""

    commit: str | None = None
    path: str | None = None
    dirty: bool | None = None


NOTHING = GitFacts()


@dataclass(frozen=True)
class Repository:
    """A work tree as git saw it once; ``commit`` is None before the first commit. A submodule is a repository of its own."""

    top: Path
    commit: str | None
    changed: frozenset[str] = field(default_factory=frozenset)
    """Paths that differ from the commit, are not in it, or are ignored; a folder of such files ends with ``/``."""
    branch: str = ""
    """Empty for a detached HEAD, and where it was not asked."""
    commit_us: int | None = None
    """When the commit was made; None where it was not asked."""
    watched: tuple[Path, ...] = ()
    """Files of git that change when HEAD moves; empty where they were not asked for."""

    def relative(self, file: Path) -> str | None:
        """The path of a file in the repository, with ``/``; None for a file outside it."""
        try:
            return Path(os.path.realpath(file)).relative_to(self.top).as_posix()
        except ValueError:
            return None

    def facts(self, file: Path) -> GitFacts:
        """What is known of a file that was asked about."""
        path = self.relative(file)
        if path is None:
            return NOTHING
        folders = [path[: n + 1] for n, char in enumerate(path) if char == "/"]
        return GitFacts(self.commit, path, not self.changed.isdisjoint((path, *folders)))

    def at_head(self, paths: Sequence[str], limit_bytes: int = MAX_BLOB_BYTES) -> dict[str, bytes]:
        """The contents of those paths that the commit has; larger ones are left out."""
        asked = [path for path in paths if "\n" not in path]
        if self.commit is None or not asked:
            return {}
        listed = self._ask("cat-file", "--batch-check=%(objecttype) %(objectsize)", given=self._names(asked))
        lines = listed.decode("utf-8", "replace").splitlines() if listed is not None else []
        wanted = [
            path
            for path, line in zip(asked, lines, strict=False)
            if line.startswith("blob ") and int(line.split()[1]) <= limit_bytes
        ]
        answer = self._ask("cat-file", "--batch", given=self._names(wanted)) if wanted else b""
        return _blobs(wanted, answer or b"")

    def files_at_head(self, folder: str) -> list[str]:
        """The paths below a folder of the repository ('' for all) that the commit has."""
        if self.commit is None:
            return []
        below = ["--", folder] if folder else []
        listed = self._ask("ls-tree", "-r", "-z", "--name-only", "--full-tree", self.commit, *below)
        names = (listed or b"").decode("utf-8", "surrogateescape").split("\0")
        return [name for name in names if name]

    def knows(self, commits: Sequence[str]) -> set[str]:
        """Those of the commits (full hashes) that this repository has."""
        asked = sorted({commit for commit in commits if commit.isalnum()})
        if not asked:
            return set()
        lines = self._ask("cat-file", "--batch-check=%(objecttype)", given="".join(f"{c}\n" for c in asked).encode())
        answers = (lines or b"").decode("utf-8", "replace").splitlines()
        return {commit for commit, answer in zip(asked, answers, strict=False) if answer == "commit"}

    def is_shallow(self) -> bool:
        """Whether older commits were left out when it was cloned."""
        return (self._ask("rev-parse", "--is-shallow-repository") or b"").strip() == b"true"

    def _names(self, paths: Sequence[str]) -> bytes:
        return "".join(f"{self.commit}:{path}\n" for path in paths).encode("utf-8", "surrogateescape")

    def _ask(self, *arguments: str, given: bytes = b"") -> bytes | None:
        return ask(self.top, *arguments, given=given)


def repository(place: Path) -> Repository | None:
    """The repository that a file or folder is in, with the state of what is at or below it; None when there is none."""
    folder = place if place.is_dir() else place.parent
    found = ask(folder, "rev-parse", "--show-toplevel", "--is-inside-work-tree")
    if found is None or not found.rstrip().endswith(b"\ntrue"):
        return None
    top = Path(os.path.realpath(os.fsdecode(found.rsplit(b"\n", 2)[0])))
    status = ask(
        folder, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignored=matching",
        "--ignore-submodules=all", "--no-renames", "--", "." if place.is_dir() else place.name,
    )  # fmt: skip
    if status is None:
        return None
    commit, changed = _status(status)
    return Repository(top, commit, frozenset(changed))


def head(place: Path) -> Repository | None:
    """The repository that a folder is in, without looking which files changed: quick in a repository of any size."""
    found = ask(
        place, "rev-parse", "--show-toplevel", "--is-inside-work-tree", "--absolute-git-dir", "--git-common-dir"
    )
    lines = os.fsdecode(found).rstrip("\n").split("\n") if found is not None else []
    if len(lines) != 4 or lines[1] != "true":
        return None
    top, own = Path(os.path.realpath(lines[0])), Path(lines[2])
    shared = Path(os.path.realpath(place / lines[3]))
    ref = _ref(own / "HEAD")
    watched = [own / "HEAD", own / "logs" / "HEAD", shared / "packed-refs", shared / "reftable" / "tables.list"]
    watched += [shared / ref] if ref else []
    commit, commit_us = _commit(ask(place, "cat-file", "--batch", given=b"HEAD\n") or b"")
    branch = ref.removeprefix("refs/heads/") if ref != "refs/heads/.invalid" else ""
    return Repository(top, commit, branch=branch, commit_us=commit_us, watched=tuple(watched))


def is_there() -> bool:
    """Whether there is a git command."""
    return shutil.which("git") is not None


def ask(folder: Path, *arguments: str, given: bytes = b"") -> bytes | None:
    """What git answers in ``folder``, None when it fails, is not there or takes too long."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *_SAFE, *arguments],
            cwd=folder,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return done.stdout if done.returncode == 0 else None


def _ref(file: Path) -> str:
    """The name of the branch that a HEAD file points to, '' for a commit."""
    try:
        with file.open("rb") as opened:
            text = opened.read(4096).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return text.removeprefix("ref: ") if text.startswith("ref: refs/") and ".." not in text else ""


def _commit(answer: bytes) -> tuple[str | None, int | None]:
    """Hash and time of the commit that ``cat-file --batch`` printed; both None for anything else."""
    first, _, body = answer.partition(b"\n")
    parts = first.split()
    if len(parts) != 3 or parts[1] != b"commit":
        return None, None
    line = next((row for row in body.split(b"\n\n", 1)[0].split(b"\n") if row.startswith(b"committer ")), b"")
    time = line.split()[-2] if len(line.split()) >= 3 else b""
    return parts[0].decode(), int(time) * 1_000_000 if time.isdigit() and len(time) < 12 else None


def _status(answer: bytes) -> tuple[str | None, list[str]]:
    commit: str | None = None
    changed: list[str] = []
    for entry in answer.decode("utf-8", "surrogateescape").split("\0"):
        if entry.startswith("# branch.oid "):
            oid = entry.removeprefix("# branch.oid ")
            commit = None if oid.startswith("(") else oid
        elif entry.startswith(("? ", "! ")):
            changed.append(entry[2:])
        elif entry.startswith("1 "):
            changed.append(entry.split(" ", 8)[8])
        elif entry.startswith("u "):
            changed.append(entry.split(" ", 10)[10])
    return commit, changed


def _blobs(paths: Sequence[str], answer: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    position = 0
    for path in paths:
        end = answer.find(b"\n", position)
        if end < 0:
            break
        head = answer[position:end].split()
        if len(head) != 3 or not head[2].isdigit():
            position = end + 1
            continue
        size = int(head[2])
        found[path] = answer[end + 1 : end + 1 + size]
        position = end + 2 + size
    return found
