"""fork() while threads of the program work: what a child begins with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SLOW = """
import gate
gate.entered.set()
gate.go.wait(30)
import time
time.sleep(0.2)  # a module that takes long to load
whole = True
"""
GATE = """
import threading
entered, go = threading.Event(), threading.Event()
"""
PROGRAM = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from ledger_tui.services import forking
import gate

os.register_at_fork(before=gate.go.set)  # runs before ours: the last that asked is told first
thread = threading.Thread(target=__import__, args=("slow",))
thread.start()
assert gate.entered.wait(30)
assert forking.loading_elsewhere() == ["slow"], forking.loading_elsewhere()
child = os.fork()
import slow
whole = getattr(slow, "whole", False)
if child == 0:
    os._exit(0 if whole else 7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the child has half a module"
thread.join()
assert forking.loading_elsewhere() == []
"""


def test_a_child_has_no_half_loaded_module(tmp_path: Path) -> None:
    """fork() waits for a module that another thread is loading, so the child can use it."""
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "gate.py").write_text(GATE)
    code = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    ended = subprocess.run(code, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_fork_while_loading_itself_waits_for_nobody(tmp_path: Path) -> None:
    """A module that forks while it is being loaded by the same thread does not wait for itself."""
    (tmp_path / "forks.py").write_text(
        "import os\nfrom ledger_tui.services import forking\nassert forking.loading_elsewhere() == []\n"
        "child = os.fork()\nif child == 0:\n    os._exit(0)\nassert os.waitpid(child, 0)[1] == 0\n"
    )
    code = [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import forks", str(tmp_path)]
    ended = subprocess.run(code, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
