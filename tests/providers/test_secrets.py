"""Where keys come from, that they stay with their host, and that nothing shows them."""

from __future__ import annotations

import copy
import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from ledger_tui.errors import InputError, KeyMissing
from ledger_tui.providers import secrets
from ledger_tui.providers.secrets import HIDDEN, Secret, drop_key, find_key, keep_key, scrub

ORIGIN = "api.example.com:443"


class MemoryKeyring(KeyringBackend):
    """A keyring that keeps its items in this object."""

    priority = 9  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.items.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.items[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.items[service, username]


class PlaintextKeyring(MemoryKeyring):
    """A keyring that would write plain text."""


class LockedKeyring(MemoryKeyring):
    """A keyring that waits for somebody to unlock it."""

    def __init__(self) -> None:
        super().__init__()
        self.unlocked = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.unlocked.wait(60)
        return None


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins without remembered keys and ends with the keyring it found."""
    monkeypatch.setattr(secrets, "_in_memory", {})
    monkeypatch.setattr(secrets, "_keyring_off_until", 0.0)
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


@pytest.fixture
def ring() -> MemoryKeyring:
    """A working keyring."""
    made = MemoryKeyring()
    keyring.set_keyring(made)
    return made


def key_file(folder: Path, text: str, mode: int = 0o600) -> str:
    """Path of a file with a key."""
    file = folder / "key"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_the_ladder(ring: MemoryKeyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variable before file before keyring; the source is told."""
    assert find_key("own", ORIGIN, ("OWN_KEY",)) is None
    assert keep_key("own", ORIGIN, Secret("from-the-keyring")) == "keyring"
    found = find_key("own", ORIGIN, ("OWN_KEY",))
    assert found is not None and (found.secret.reveal(), found.source) == ("from-the-keyring", "keyring")
    monkeypatch.setenv("OWN_KEY_FILE", key_file(tmp_path, "from-the-file\n"))
    found = find_key("own", ORIGIN, ("OWN_KEY",))
    assert found is not None and (found.secret.reveal(), found.source) == ("from-the-file", "file")
    monkeypatch.setenv("OWN_KEY", "from-the-variable")
    found = find_key("own", ORIGIN, ("OWN_KEY",))
    assert found is not None and (found.secret.reveal(), found.source) == ("from-the-variable", "environment")


def test_a_saved_key_belongs_to_its_host(ring: MemoryKeyring) -> None:
    """A key saved for one address is not found for another of the same provider."""
    keep_key("own", ORIGIN, Secret("only-for-example"))
    assert ring.items == {("ledger-tui", f"own@{ORIGIN}"): "only-for-example"}
    assert find_key("own", "evil.example:443", ()) is None
    assert find_key("own", "api.example.com:8443", ()) is None


@pytest.mark.parametrize("backend", [PlaintextKeyring, None])
def test_without_a_safe_keyring_keys_live_in_memory(backend: type[MemoryKeyring] | None) -> None:
    """A keyring of plain text is not used, and no keyring at all is no error: the key is held for this process."""
    plain = backend() if backend else None
    if plain is not None:
        keyring.set_keyring(plain)
    else:
        from keyring.backends.fail import Keyring

        keyring.set_keyring(Keyring())
    assert keep_key("own", ORIGIN, Secret("held-in-memory")) == "memory"
    found = find_key("own", ORIGIN, ())
    assert found is not None and found.source == "memory"
    assert plain is None or plain.items == {}
    assert drop_key("own", ORIGIN) and not drop_key("own", ORIGIN)
    assert find_key("own", ORIGIN, ()) is None


def test_a_locked_keyring_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyring that does not answer is given up after its time, and not asked again for a while."""
    locked = LockedKeyring()
    keyring.set_keyring(locked)
    monkeypatch.setattr(secrets, "KEYRING_PATIENCE_S", 0.05)
    assert find_key("own", ORIGIN, ()) is None
    before = threading.active_count()
    assert find_key("own", ORIGIN, ()) is None
    assert threading.active_count() == before
    locked.unlocked.set()


def test_forgetting(ring: MemoryKeyring) -> None:
    """A forgotten key is gone from the keyring, and forgetting twice is no error."""
    keep_key("own", ORIGIN, Secret("soon-to-be-gone"))
    assert drop_key("own", ORIGIN) and ring.items == {}
    assert not drop_key("own", ORIGIN)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are of POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_key_files_that_others_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    """A key file that others can read is refused, not silently skipped."""
    monkeypatch.setenv("OWN_KEY_FILE", key_file(tmp_path, "open-to-all", mode))
    with pytest.raises(KeyMissing, match="read by others"):
        find_key("own", ORIGIN, ("OWN_KEY",))


@pytest.mark.parametrize("make", ["missing", "folder", "fifo", "binary", "empty", "huge", "two lines"])
def test_key_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: str) -> None:
    """Whatever the file is, the answer is an error that names the variable, at once."""
    file = tmp_path / "key"
    makers = {
        "missing": lambda: None,
        "folder": file.mkdir,
        "fifo": lambda: os.mkfifo(file, 0o600),
        "binary": lambda: file.write_bytes(bytes(range(256))),
        "empty": lambda: file.write_text(" \n"),
        "huge": lambda: file.write_text("x" * 100_000),
        "two lines": lambda: file.write_text("one\ntwo\n"),
    }
    makers[make]()
    if file.is_file():
        file.chmod(0o600)
    monkeypatch.setenv("OWN_KEY_FILE", str(file))
    with pytest.raises(KeyMissing, match="OWN_KEY_FILE"):
        find_key("own", ORIGIN, ("OWN_KEY",))


def test_a_secret_does_not_show_itself() -> None:
    """No way of printing, formatting, copying or pickling gives the key away."""
    secret = Secret("  canary-of-a-secret\n")
    assert secret.reveal() == "canary-of-a-secret"
    shown = f"{secret} {secret!r} {secret:>40} {[secret]} {vars(secrets).get('x')}"
    assert "canary" not in shown and HIDDEN in shown
    for work in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            work(secret)


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "nul\0", "ümlaut", "x" * 20_000, "\x1b[31m"])
def test_what_cannot_be_a_key(text: str) -> None:
    """Texts that could break a header are refused when they are given, without repeating them."""
    with pytest.raises(InputError) as caught:
        Secret(text)
    assert not text.strip() or text not in str(caught.value)


SHAPES = [
    "sk-proj-abcdefghijklmnop",
    "sk-ant-api03-abcdefgh_ijklmnop",
    "gsk_abcdefghijklmnop0123",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("key", SHAPES)
def test_scrub_takes_known_shapes(key: str) -> None:
    """Texts that look like keys are taken out, the words around them stay."""
    assert scrub(f"the server said: {key} is wrong") == f"the server said: {HIDDEN} is wrong"


def test_scrub_takes_known_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was loaded, or stands in the environment, is taken out whatever it looks like."""
    Secret("correct horse battery")
    monkeypatch.setenv("SOME_VENDOR_API_KEY", "plain-looking-words")
    assert scrub("a correct horse battery and plain-looking-words") == f"a {HIDDEN} and {HIDDEN}"
    assert scrub("nothing to hide, sk-1, skip-this, eyJ") == "nothing to hide, sk-1, skip-this, eyJ"


def test_scrub_is_quick_on_hostile_text() -> None:
    """A megabyte that nearly looks like keys is handled in linear time."""
    for piece in ("sk-" + "a" * 7 + " ", "eyJ" + "a" * 50, "-----BEGIN PRIVATE KEY-----", "A" * 64):
        assert isinstance(scrub(piece * (1_000_000 // len(piece))), str)
