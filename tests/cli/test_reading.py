"""Texts from files: whatever a path leads to, there is a text or a clear error, soon."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest
from ledger_tui.errors import InputError
from ledger_tui.services.reading import read_text_file

from tests.cli.conftest import Call


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"no final newline", "no final newline"),
        (b"\xef\xbb\xbfbom", "bom"),
        (b"a\r\nb\r\n", "a\nb\n"),
        ("e\u0301 🎉\n".encode(), "e\u0301 🎉\n"),
    ],
)
def test_texts_are_read(tmp_path: Path, raw: bytes, text: str) -> None:
    """UTF-8 is read as it is; a byte-order mark goes and line ends become one kind."""
    file = tmp_path / "x.txt"
    file.write_bytes(raw)
    assert read_text_file(file) == text


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"ok\n\xff\xfe broken", "line 2"),
        ("wide".encode("utf-16"), "UTF-16"),
        (b"nul\0", "NUL character at position 3"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8"),
        (b"x" * 2049, "larger than 2 kB"),
    ],
)
def test_other_contents_are_refused_with_the_reason(tmp_path: Path, raw: bytes, words: str) -> None:
    """Other encodings, binary data and too much of it are named as what they are."""
    file = tmp_path / "x"
    file.write_bytes(raw)
    with pytest.raises(InputError, match=words):
        read_text_file(file, 2048)


def test_other_things_than_files_are_refused(tmp_path: Path) -> None:
    """A folder, a device, a socket, a circle of links, a missing file and no file name at all end with a reason."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(tmp_path / "s"))
    paths = {
        str(tmp_path): "folder",
        "/dev/zero": "device",
        str(tmp_path / "s"): "socket",
        str(tmp_path / "loop"): "circle",
        str(tmp_path / "none"): "no such file",
        "a\0b": "not a file name",
        "x" * 5000: "too long",
    }
    for path, words in paths.items():
        with pytest.raises(InputError, match=words):
            read_text_file(path)
    door.close()


def test_a_pipe_is_read_to_its_end_but_not_waited_for_without_end(tmp_path: Path) -> None:
    """A named pipe gives its text once the writer is done, and an error when nobody ever writes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("from a pipe",))
    writer.start()
    assert read_text_file(pipe, time_limit_s=20) == "from a pipe"
    writer.join()
    with pytest.raises(InputError, match="did not end within"):
        read_text_file(pipe, time_limit_s=0.05)


def test_a_bad_file_saves_nothing(call: Call, tmp_path: Path) -> None:
    """``prompts save`` with a file that cannot be taken says so and leaves the registry empty."""
    empty = tmp_path / "empty"
    empty.write_bytes(b"\xff")
    for file in (str(tmp_path), "/dev/zero", str(empty)):
        answer = call("prompts", "save", "p", "--file", file)
        assert answer.code == 1 and answer.err.startswith("✗")
    assert call("prompts", "list", "--json").json == {"prompts": []}
