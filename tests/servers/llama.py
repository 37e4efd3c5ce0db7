"""A real llama.cpp server in a process of its own, speaking Chat Completions, Responses and Messages.

Runs as ``python -m tests.servers.llama MODEL``: prints its address on one line and ends when its standard input closes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.tiny_model import write_model

MODEL = "tiny"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def llama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the server without a path, e.g. ``http://127.0.0.1:45115``; the model is named ``tiny``."""
    pytest.importorskip("xllamacpp")
    folder = tmp_path_factory.mktemp("llama")
    model = write_model(folder / "tiny.gguf")
    log = folder / "server.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.llama", str(model)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            assert process.stdout is not None
            address = next((line for line in map(_address_in, process.stdout) if line), "")
            assert address, log.read_text(errors="replace")[-2000:]
            yield address
        finally:
            process.kill()
            process.wait()


def _address_in(line: bytes) -> str:
    text = line.decode(errors="replace").strip()
    return text.removeprefix("address ") if text.startswith("address ") else ""


def serve(model: str) -> None:
    """Serve ``model`` on a free port of this machine until standard input closes."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {MODEL}
    params.n_ctx = 4 * 1024
    params.n_parallel = 4
    params.n_predict = 256
    params.warmup = False
    params.use_jinja = True
    params.sampling.seed = 1
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.n_threads_http = 8
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    server = xllamacpp.Server(params)
    print(f"address {server.listening_address}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve(sys.argv[1])
