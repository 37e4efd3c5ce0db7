"""Where keys come from and how they are held back from everything else.

The ladder: environment variable, ``<NAME>_FILE``, keyring, memory of this process. Saved keys are bound to the host
they were given for. ``scrub`` takes keys out of text that others wrote (error messages, mostly).
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, final

from ledger_tui.domain.redaction import HIDDEN, without_keys
from ledger_tui.errors import InputError, KeyMissing
from ledger_tui.providers.known_keys import hold, known_values

T = TypeVar("T")
KeySource = Literal["environment", "file", "keyring", "memory"]
SERVICE = "ledger-tui"
KEYRING_PATIENCE_S = 5.0
MAX_KEY_CHARACTERS = 16 * 1024

_in_memory: dict[str, Secret] = {}


@final
class Secret:
    """A key that does not show itself; only ``reveal`` gives its text. ``scrub`` knows it from now on."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        text = value.strip()
        if not text or len(text) > MAX_KEY_CHARACTERS or not text.isascii() or not text.isprintable():
            raise InputError("a key is one line of plain characters", remedy="Copy the key again, without line ends.")
        self._value = text
        hold(text)

    def reveal(self) -> str:
        """The key itself; only the door that sends it should ask."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not written anywhere")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key and the rung of the ladder it was found on."""

    secret: Secret
    source: KeySource


def scrub(text: str) -> str:
    """``text`` without any key that is known here or looks like one."""
    for value in known_values():
        text = text.replace(value, HIDDEN)
    return without_keys(text)


def find_key(provider: str, origin: str, env_names: Sequence[str]) -> FoundKey | None:
    """The key of ``provider`` for the host ``origin``; blocks up to 5 s when a keyring is locked.

    env_names: the variables that count (none when the environment's key belongs to another host). Raises KeyMissing
    when a ``<NAME>_FILE`` is named but cannot be taken.
    """
    for name in env_names:
        if os.environ.get(name, "").strip():
            return FoundKey(Secret(os.environ[name]), "environment")
    for name in env_names:
        if file := os.environ.get(f"{name}_FILE", ""):
            return FoundKey(_from_file(Path(file), f"{name}_FILE", provider), "file")
    saved = _ask_keyring(lambda ring: ring.get_password(SERVICE, f"{provider}@{origin}"))
    if isinstance(saved, str) and saved.strip():
        return FoundKey(Secret(saved), "keyring")
    held = _in_memory.get(f"{provider}@{origin}")
    return None if held is None else FoundKey(held, "memory")


def keep_key(provider: str, origin: str, secret: Secret) -> KeySource:
    """Save a key for this host in the keyring, or hold it for this process when there is no safe keyring."""
    item = f"{provider}@{origin}"

    def save(ring: Any) -> bool:
        ring.set_password(SERVICE, item, secret.reveal())
        return bool(ring.get_password(SERVICE, item) == secret.reveal())

    if _ask_keyring(save):
        _in_memory.pop(item, None)
        return "keyring"
    _in_memory[item] = secret
    return "memory"


def drop_key(provider: str, origin: str) -> bool:
    """Forget a saved key; whether there was one. Variables and files of the environment stay as they are."""
    item = f"{provider}@{origin}"
    held = _in_memory.pop(item, None) is not None

    def remove(ring: Any) -> bool:
        if ring.get_password(SERVICE, item) is None:
            return False
        ring.delete_password(SERVICE, item)
        return True

    return bool(_ask_keyring(remove)) or held


def _from_file(file: Path, variable: str, provider: str) -> Secret:
    def missing(reason: str) -> KeyMissing:
        return KeyMissing(
            f"the file that ${variable} names {reason}", provider=provider, remedy="Check the file; mode 600."
        )

    try:
        with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise missing("is not a file")
            if os.name == "posix" and found.st_mode & 0o077:
                raise missing("can be read by others")
            return Secret(stream.read(MAX_KEY_CHARACTERS + 1).decode("ascii"))
    except OSError as error:
        raise missing(f"cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, InputError):
        raise missing("does not hold a key") from None


_keyring_off_until = 0.0


def _ask_keyring(work: Callable[[Any], T]) -> T | None:
    """``work`` on the keyring in a thread of its own; None when there is none, it fails or does not answer in 5 s."""
    global _keyring_off_until
    if time.monotonic() < _keyring_off_until:
        return None
    answers: list[T] = []

    def ask() -> None:
        try:
            ring = safe_keyring()
            if ring is not None:
                answers.append(work(ring))
        except Exception:
            # Backends raise errors of their own libraries, and their texts may hold the key: an unusable keyring is
            # no keyring, and the ladder has another rung.
            return

    thread = threading.Thread(target=ask, name="keyring", daemon=True)
    thread.start()
    thread.join(KEYRING_PATIENCE_S)
    if thread.is_alive():
        _keyring_off_until = time.monotonic() + 60
    return answers[0] if answers else None


def safe_keyring() -> Any | None:
    """The system's keyring, None when there is none or it would keep keys as plain text."""
    import keyring

    backend: Any = keyring.get_keyring()
    for candidate in getattr(backend, "backends", None) or [backend]:
        module = type(candidate).__module__
        if module.startswith(("keyrings.alt", "keyring.backends.fail", "keyring.backends.null")):
            continue
        if "plaintext" in type(candidate).__name__.lower() or candidate.priority <= 0:
            continue
        return candidate
    return None
