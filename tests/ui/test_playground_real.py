"""The playground against servers: a real llama.cpp server on three wires, a server of failures, and a real terminal."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.settings import ProviderSettings, Settings
from ledger_tui.ui.subject import PlaygroundSubject

from tests.servers.failures import FailingServer
from tests.ui.conftest import Workstation, screen_text, until
from tests.ui.test_playground_place import ended, place_of

ROOT = Path(__file__).parents[2]
WIRES = ("chat", "responses", "anthropic")
ASK = PromptContent((Message("user", "Tell me about {{ thing }}."),), params={"max_tokens": 24})


@pytest.fixture
def addresses(request: pytest.FixtureRequest) -> dict[str, tuple[str, str]]:
    """Provider name to its address and wire: parametrised indirectly, else the real server on every wire."""
    address = request.getfixturevalue("llama_server")
    return {f"real-{wire}": (f"{address}/v1", wire) for wire in WIRES}


@pytest.fixture
def ledger(paths: Paths, addresses: dict[str, tuple[str, str]]) -> Iterator[PromptLedger]:
    """A ledger whose settings know those servers."""
    providers = {name: ProviderSettings(name, url, wire=wire) for name, (url, wire) in addresses.items()}
    with PromptLedger(paths=paths, settings=Settings(providers=providers)) as made:
        yield made


async def test_three_wires_of_a_real_server_side_by_side(workstation: Workstation, ledger: Any) -> None:
    """Chat Completions, Responses and Messages stream beside each other; each run is stored with its tokens."""
    async with workstation("playground", size=(200, 60)) as pilot:
        place = place_of(pilot)
        models = tuple(f"real-{wire}/tiny" for wire in WIRES)
        place.open_playground(PlaygroundSubject(ASK, variables={"thing": "tea"}, models=models))
        await until(lambda: len(place.answers.columns) == 3 and place.form.filled, pilot, "the columns")
        await pilot.press("ctrl+r")
        columns = await ended(pilot, place)
        for column in columns:
            answer = column.answers[0]
            assert answer.status == "succeeded" and answer.result is not None, answer.problem
            assert answer.output and answer.result.first_token_us is not None
            execution = ledger.traces.execution(answer.result.execution_id)
            assert execution.response == answer.output
            assert execution.variables == {"thing": "tea"}
            assert execution.tokens.output == answer.result.tokens.output == 24
        assert screen_text(pilot).count("✓ succeeded") == 3
        assert len({row.trace_id for row in ledger.traces.page().rows}) == 3


class TestFailures:
    """What a server does wrong is said in the column, and stored."""

    @pytest.fixture
    def addresses(self, failing_server: FailingServer) -> dict[str, tuple[str, str]]:
        """One provider for each failure."""
        behaviours = ("401", "html", "cut", "empty", "hangs-after-a-piece", "ok")
        return {f"bad-{one}": (failing_server.url(one), "chat") for one in behaviours}

    async def test_failures_stand_in_their_columns(self, workstation: Workstation, ledger: Any) -> None:
        """A refused key, a web page, a broken stream and nothing at all: four columns, four reasons, four executions."""
        async with workstation("playground", size=(200, 60)) as pilot:
            place = place_of(pilot)
            models = tuple(f"{name}/m" for name in ("bad-401", "bad-html", "bad-cut", "bad-empty"))
            place.open_playground(PlaygroundSubject(ASK, variables={"thing": "tea"}, models=models))
            await until(lambda: len(place.answers.columns) == 4 and place.form.filled, pilot, "the columns")
            await pilot.press("ctrl+r")
            columns = await ended(pilot, place)
            for column in columns:
                answer = column.answers[0]
                assert answer.status == "failed" and answer.problem is not None and answer.result is not None
                stored = ledger.traces.execution(answer.result.execution_id)
                assert (stored.status, stored.error_type) == ("failed", answer.result.error_type)
                assert answer.result.cost_nusd is None
            assert columns[2].answers[0].output
            assert screen_text(pilot).count("✗ failed") == 4

    async def test_escape_closes_the_connection(
        self, workstation: Workstation, ledger: Any, failing_server: FailingServer
    ) -> None:
        """Escape in the middle of an answer hangs up on the server and keeps what came; the next run works."""
        async with workstation("playground") as pilot:
            place = place_of(pilot)
            models = ("bad-hangs-after-a-piece/m",)
            place.open_playground(PlaygroundSubject(ASK, variables={"thing": "tea"}, models=models))
            await until(lambda: place.answers.columns[0].model == models[0] and place.form.filled, pilot, "the column")
            (column,) = place.answers.columns
            await pilot.press("ctrl+r")
            await until(lambda: column.stream.frames, pilot, "some text")
            await pilot.press("escape")
            await ended(pilot, place)
            answer = column.answers[0]
            assert answer.status == "canceled" and answer.output and answer.result is not None
            assert ledger.traces.execution(answer.result.execution_id).response == answer.output
            assert await asyncio.to_thread(failing_server.client_left.wait, 10)
            column.set_model("bad-ok/m")
            await pilot.press("ctrl+r")
            await ended(pilot, place, 2)
            assert column.answers[1].status == "succeeded"


# A real terminal


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """``tmux("send-keys", ...)`` on a server of its own, which ends with the test."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    socket = f"ledger-{uuid.uuid4().hex[:8]}"
    environment = {**os.environ, "TMUX_TMPDIR": str(tmp_path)}

    def call(*words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", socket, "-f", "/dev/null", *words],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        return done.stdout

    yield call
    subprocess.run(["tmux", "-L", socket, "kill-server"], capture_output=True, env=environment, check=False)


def seen(tmux: Callable[..., str], words: str) -> str:
    """Wait until ``words`` stand on the screen; returns the screen."""
    end = time.monotonic() + 20
    while words not in (screen := tmux("capture-pane", "-p", "-t", "main")):
        assert time.monotonic() < end, f"{words!r} never came:\n{screen}"
        time.sleep(0.05)
    return screen


def test_a_run_in_a_real_terminal(tmux: Callable[..., str], llama_server: str, tmp_path: Path) -> None:
    """In tmux: go to the playground, type a message, run it against the real server, read the figures, quit."""
    config, data = tmp_path / "config", tmp_path / "data"
    (config / "ledger-tui").mkdir(parents=True)
    (config / "ledger-tui" / "settings.toml").write_text(
        f'default_model = "real/tiny"\n[providers.real]\nbase_url = "{llama_server}/v1"\nwire = "chat"\n'
    )
    command = f"env XDG_CONFIG_HOME={config} XDG_DATA_HOME={data} TERM=xterm-256color {sys.executable} -m ledger_tui; sleep 60"
    tmux("new-session", "-d", "-s", "main", "-x", "120", "-y", "40", "-c", str(ROOT), command)
    seen(tmux, "Playground")
    tmux("send-keys", "-t", "main", "F3")
    seen(tmux, "unsaved text")
    tmux("send-keys", "-t", "main", "-l", "Say something about {{ thing }}")
    seen(tmux, "thing ")
    tmux("send-keys", "-t", "main", "C-r")
    for words in ("✓ succeeded", "real/tiny", " · out ", "unpriced"):
        seen(tmux, words)
    with PromptLedger(paths=Paths(data / "ledger-tui", config / "ledger-tui")) as ledger:
        (row,) = ledger.traces.page().rows
        assert row.status == "succeeded" and row.output_tokens > 0
    tmux("send-keys", "-t", "main", "C-q")
