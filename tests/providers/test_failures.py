"""Every way in which a call can fail becomes one of our errors, and no key is ever in it."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from ledger_tui import errors
from ledger_tui.errors import (
    AuthRefused,
    BadResponse,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
)
from ledger_tui.providers.failures import MAX_RETRY_AFTER_S, to_provider_error

from tests.providers.conftest import CANARY, WIRES, DoorMaker, asking, hear
from tests.servers.failures import FailingServer

EVERY_WIRE = pytest.mark.parametrize("wire", WIRES)
EXPECTED: dict[str, type[ProviderError]] = {
    "400": RequestRefused,
    "401": AuthRefused,
    "403": AuthRefused,
    "404": RequestRefused,
    "408": ProviderTimeout,
    "429": RateLimited,
    "429-huge": RateLimited,
    "429-nonsense": RateLimited,
    "500": ProviderUnavailable,
    "503": ProviderUnavailable,
    "529": ProviderUnavailable,
    "html": BadResponse,
    "html-500": ProviderUnavailable,
    "empty": BadResponse,
    "cut": BadResponse,
    "cut-cleanly": BadResponse,
    "garbled": BadResponse,
    "not-streamed": BadResponse,
    "error-200": ProviderUnavailable,
    "error-inside": ProviderUnavailable,
    "echo-key": AuthRefused,
    "redirect": BadResponse,
    "endless": BadResponse,
    "packed": BadResponse,
}


async def failure_of(provider: Any, **params: Any) -> ProviderError:
    """The error that a call ends in."""
    with pytest.raises(ProviderError) as caught:
        await hear(provider, asking(**params))
    await provider.aclose()
    return caught.value


@EVERY_WIRE
@pytest.mark.parametrize("behaviour", EXPECTED)
async def test_every_failure_has_its_error(
    failing_server: FailingServer, open_door: DoorMaker, wire: str, behaviour: str
) -> None:
    """Each failure of a server is the error that says what to do, and holds no key in text, repr or traceback."""
    error = await failure_of(open_door(failing_server.url(behaviour), wire))
    assert type(error) is EXPECTED[behaviour]
    assert error.provider == "own"
    assert error.title and error.cause
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert CANARY not in shown
    assert error.__cause__ is None and error.__context__ is None


@pytest.mark.parametrize(
    ("behaviour", "seconds"), [("429", 7.0), ("429-huge", MAX_RETRY_AFTER_S), ("429-nonsense", None)]
)
async def test_retry_after_is_read_and_capped(
    failing_server: FailingServer, open_door: DoorMaker, behaviour: str, seconds: float | None
) -> None:
    """A server can ask for a wait, but not for thirty years."""
    error = await failure_of(open_door(failing_server.url(behaviour), "chat"))
    assert error.retry_after_s == seconds and error.retryable


@EVERY_WIRE
@pytest.mark.parametrize("behaviour", ["timeout", "hangs-after-a-piece"])
async def test_silence_ends_in_a_timeout(
    failing_server: FailingServer, open_door: DoorMaker, wire: str, behaviour: str
) -> None:
    """A server that says nothing (more) is given up after the request's time, and the connection is closed."""
    warm = open_door(failing_server.url("ok"), wire)
    await hear(warm, asking())
    await warm.aclose()
    for seconds in (0.3, 1, 3, 9):
        error = await failure_of(open_door(failing_server.url(behaviour), wire), timeout_s=seconds)
        assert type(error) is ProviderTimeout
        # On a busy machine the time may be over before the request has arrived; then nobody is there to be left.
        if failing_server.waiting.is_set():
            break
    assert failing_server.client_left.wait(20)


@EVERY_WIRE
async def test_nobody_there(failing_server: FailingServer, open_door: DoorMaker, wire: str) -> None:
    """A port where nobody listens is an unreachable provider, worth another try."""
    error = await failure_of(open_door("http://127.0.0.1:9/v1", wire))
    assert type(error) is ProviderUnavailable and error.retryable


@EVERY_WIRE
async def test_the_key_is_not_carried_elsewhere(failing_server: FailingServer, open_door: DoorMaker, wire: str) -> None:
    """A redirect to another host is not followed, so the key arrives only where it belongs."""
    await failure_of(open_door(failing_server.url("redirect"), wire))
    assert len(failing_server.requests) == 1
    assert CANARY in " ".join(failing_server.requests[0].headers.values())


@EVERY_WIRE
async def test_headers_of_other_programs_stay_out(
    failing_server: FailingServer, open_door: DoorMaker, wire: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, accounts and headers that the environment holds for the SDKs do not leak to another server."""
    for variable in (
        "OPENAI_API_KEY",
        "OPENAI_ADMIN_KEY",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "ANTHROPIC_AUTH_TOKEN",
    ):
        monkeypatch.setenv(variable, "leak-of-another-program")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leak: leak-of-another-program")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Leak: leak-of-another-program")
    provider = open_door(failing_server.url("ok"), wire)
    await hear(provider, asking())
    await provider.models()
    await provider.aclose()
    for request in failing_server.requests:
        assert "leak-of-another-program" not in str(request)
        assert sum(CANARY in value for value in request.headers.values()) == 1


@EVERY_WIRE
async def test_unreadable_model_lists(failing_server: FailingServer, open_door: DoorMaker, wire: str) -> None:
    """Listing models fails with our errors too, and a good list comes sorted with titles."""
    for behaviour, kind in (
        ("401", AuthRefused),
        ("html", BadResponse),
        ("empty", BadResponse),
        ("500", ProviderUnavailable),
    ):
        provider = open_door(failing_server.url(behaviour), wire)
        with pytest.raises(kind):
            await provider.models()
        await provider.aclose()
    provider = open_door(failing_server.url("ok"), wire)
    models = await provider.models()
    await provider.aclose()
    assert [(info.name, info.title, info.context_tokens) for info in models] == [
        ("own/m-1", "", 8192),
        ("own/m-2", "Model Two", None),
    ]


def exception_classes(module: Any) -> list[type[BaseException]]:
    """Every exception class of a library: its public names, its errors module and all their subclasses."""
    values = [*vars(module._exceptions).values(), *list(vars(module).values())]
    todo = [value for value in values if inspect.isclass(value) and issubclass(value, Exception)]
    found: set[type[BaseException]] = set()
    while todo:
        kind = todo.pop()
        if kind not in found:
            found.add(kind)
            todo += kind.__subclasses__()
    return sorted(found, key=lambda kind: kind.__name__)


def made(kind: type[BaseException], status: int) -> BaseException:
    """An instance of any SDK exception class, through whichever arguments it takes."""
    request = httpx2.Request("POST", "http://x/", headers={"Authorization": f"Bearer {CANARY}"})
    response = httpx2.Response(status, request=request, text=f"no: {CANARY}")
    offered = {
        "message": f"it said {CANARY}",
        "request": request,
        "response": response,
        "body": {"error": {"message": f"it said {CANARY}", "type": "x"}},
        "completion": type("Completion", (), {"usage": None})(),
        "unsent_messages": [],
    }
    taken = {
        name: offered[name]
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if name in offered and parameter.kind is not inspect.Parameter.VAR_POSITIONAL
    }
    if taken:
        return kind(**taken)
    problem = kind.__new__(kind)
    problem.args = (f"it said {CANARY}",)
    return problem


@pytest.mark.parametrize("library", [openai, anthropic], ids=["openai", "anthropic"])
def test_the_map_of_exceptions_is_complete(library: Any) -> None:
    """Every exception class of the SDKs becomes a ProviderError that fits its status, scrubbed of keys."""
    classes = exception_classes(library)
    assert len(classes) > 15
    for kind in classes:
        status = getattr(kind, "status_code", 418)
        status = status if isinstance(status, int) else 418
        error = to_provider_error(made(kind, status), "own")
        assert isinstance(error, ProviderError), kind
        assert CANARY not in f"{error} {vars(error)!r}", kind
        expected = expected_of(kind, status)
        assert type(error) is expected, (kind, error)


def expected_of(kind: type[BaseException], status: int) -> type[ProviderError]:
    """What the contract says of a class: by status where it has one, else by what it is."""
    names = {base.__name__ for base in kind.__mro__}
    if "APIStatusError" in names:
        by_status = {401: AuthRefused, 403: AuthRefused, 408: ProviderTimeout, 429: RateLimited}
        return by_status.get(status, ProviderUnavailable if status >= 500 else RequestRefused)
    if "APITimeoutError" in names:
        return ProviderTimeout
    if names & {"APIConnectionError", "RetryableError"}:
        return ProviderUnavailable
    if names & {"CredentialsError", "SubjectTokenProviderError"}:
        return AuthRefused
    return BadResponse


HTTP_ERRORS = [k for k in list(vars(httpx2).values()) if inspect.isclass(k) and issubclass(k, Exception)]


@pytest.mark.parametrize(
    "kind", [*HTTP_ERRORS, RuntimeError, UnicodeDecodeError, RecursionError, OSError, TimeoutError]
)
def test_http_library_errors_too(kind: type[Any]) -> None:
    """The HTTP library's own exceptions and any other exception become ours; time-outs are known as such."""
    problem = kind.__new__(kind)
    problem.args = (f"it said {CANARY}",)
    error = to_provider_error(problem, "own")
    assert isinstance(error, ProviderError) and CANARY not in str(error)
    assert isinstance(error, ProviderTimeout) == issubclass(kind, httpx2.TimeoutException | TimeoutError)


def test_retryable_is_what_the_contract_says() -> None:
    """Only time-outs, 429 and 5xx are worth another try."""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, ProviderError)]
    assert {kind for kind in kinds if kind.retryable} == {RateLimited, ProviderTimeout, ProviderUnavailable}
