"""What the three wire protocols share: one exchange from request to last event, and careful reading of numbers.

Servers say many things. A count that is missing, negative or a text is unknown (None), never zero and never a crash.
"""

from __future__ import annotations

import asyncio
import json
import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from ledger_tui.domain.calls import ChatMessage, ModelEvent, ModelInfo, ModelRequest, TextDelta, ToolCall
from ledger_tui.errors import BadResponse, KeyMissing, ProviderError, RequestRefused
from ledger_tui.providers.catalog import Endpoint
from ledger_tui.providers.failures import kind_of_text, to_provider_error
from ledger_tui.providers.secrets import Secret, scrub

T = TypeVar("T")
MAX_COUNT = 2**53
MAX_LISTED_MODELS = 2000
MAX_RAW_USAGE = 4096
PLACEHOLDER_KEY = "added-at-the-door"


class Reader(ABC):
    """Reads the chunks of one answer; one object an answer."""

    @abstractmethod
    def read(self, chunk: Any) -> Iterable[ModelEvent]:
        """What one chunk of the stream says; raises ProviderError when it says that something failed."""

    @abstractmethod
    def end(self) -> Iterable[ModelEvent]:
        """What is left to say when the stream is over, ``Finished`` last; BadResponse when it was cut."""


class WireProvider(ABC):
    """The door to one provider over one wire protocol; see ``domain.calls.Provider``."""

    path: ClassVar[str]
    models_path: ClassVar[str] = "/models"
    auth_header: ClassVar[str] = "Authorization"
    auth_prefix: ClassVar[str] = "Bearer "

    def __init__(
        self, endpoint: Endpoint, find_key: Callable[[], Secret | None], *, connect_timeout_s: float = 10.0
    ) -> None:
        self.name = endpoint.name
        self.endpoint = endpoint
        self._find_key = find_key
        self._connect_timeout_s = connect_timeout_s
        self._client: Any = None
        self._stream_type: Any = None
        self._opening = asyncio.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer piece by piece within ``request.timeout_s``; raises ProviderError only."""
        deadline = asyncio.get_running_loop().time() + request.timeout_s
        answer: Any = None
        failure: ProviderError | None = None
        try:
            _check_params(request.params)
            client = await _by(deadline, self._connected())
            answer = await _by(deadline, self._ask(client, request))
            await _by(deadline, _check_kind(answer.response))
            reader = self._reader()
            chunks = aiter(answer)
            while (chunk := await _by(deadline, anext(chunks, None))) is not None:
                for event in reader.read(chunk):
                    yield event
            for event in reader.end():
                yield event
        except Exception as error:
            failure = to_provider_error(error, self.name, answered=answer is not None)
        finally:
            if answer is not None:
                await _close(answer)
        if failure is not None:
            # Raised here and not above, so that no library's exception, with its request, hangs on ours.
            raise failure

    async def models(self) -> list[ModelInfo]:
        """What the provider lists, sorted by name, at most 2000; raises ProviderError only."""
        failure: ProviderError
        deadline = asyncio.get_running_loop().time() + max(30.0, self._connect_timeout_s)
        try:
            client = await _by(deadline, self._connected())
            page = await _by(deadline, client.get(self.models_path, cast_to=object))
            return self._listed(page)
        except Exception as error:
            failure = to_provider_error(error, self.name)
        raise failure

    async def aclose(self) -> None:
        """Close connections; a call after it opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @abstractmethod
    def _new_client(self, base_url: str, http_client: Any) -> tuple[Any, Any]:
        """An SDK client without retries, and its type of streams; called in a thread because imports are slow."""

    @abstractmethod
    def _body(self, request: ModelRequest) -> dict[str, Any]:
        """The request as the wire writes it."""

    @abstractmethod
    def _reader(self) -> Reader:
        """A reader for one answer."""

    async def _ask(self, client: Any, request: ModelRequest) -> Any:
        """Send the request; returns the SDK's stream of chunks.

        Chunks stay plain JSON: the SDKs' models differ from release to release and make numbers of texts.
        """
        return await client.post(
            self.path,
            cast_to=object,
            body={"model": request.model, "stream": True, **self._body(request)},
            options={"timeout": request.timeout_s},
            stream=True,
            stream_cls=self._stream_type[object],
        )

    async def _connected(self) -> Any:
        async with self._opening:
            if self._client is None:
                self._client, self._stream_type = await asyncio.to_thread(self._connect)
            return self._client

    def _connect(self) -> tuple[Any, Any]:
        address = self.endpoint.address()
        key = self._find_key()
        if key is None and self.endpoint.env_names and not address.is_local and not self.endpoint.own_address:
            raise missing_key(self.endpoint)
        from ledger_tui.providers.transport import client_for

        headers = {} if key is None else {self.auth_header: f"{self.auth_prefix}{key.reveal()}"}
        return self._new_client(address.url, client_for(address, headers, self._connect_timeout_s))

    def _listed(self, page: Any) -> list[ModelInfo]:
        data = part_of(page, "data")
        if not isinstance(data, list):
            raise BadResponse("it sent no list of models")
        found: dict[str, ModelInfo] = {}
        for item in data[:MAX_LISTED_MODELS]:
            model = text_of(item, "id")
            if model:
                title = text_of(item, "display_name") or text_of(item, "name")
                found[model] = ModelInfo(self.name, model.removeprefix("models/"), title, _context_of(item))
        return sorted(found.values(), key=lambda info: info.model)


def missing_key(endpoint: Endpoint) -> KeyMissing:
    """The error of a provider that needs a key and has none."""
    variables = " or ".join(endpoint.env_names)
    return KeyMissing(
        f"{endpoint.title} needs one", provider=endpoint.name, remedy=f"Set {variables}, or enter the key in Settings."
    )


async def _by(deadline: float, work: Awaitable[T]) -> T:
    async with asyncio.timeout_at(deadline):
        return await work


async def _close(answer: Any) -> None:
    try:
        await answer.close()
    except Exception:
        # The connection is being thrown away; how it dies is of no interest, and what went wrong before is told already.
        return


async def _check_kind(response: Any) -> None:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("text/html", "application/json", "application/xhtml+xml", "application/xml"):
        return
    said = ""
    if kind == "application/json":
        said = _error_in(await response.aread())
        if said:
            raise kind_of_text(said)(scrub(said)[:500], status_code=response.status_code)
    raise BadResponse(f"it answered with {kind or 'nothing'} instead of a stream of events")


def _error_in(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
        return f"{error.get('type') or ''} {error['message']}".strip() if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def _check_params(params: Mapping[str, Any]) -> None:
    for name, value in params.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise RequestRefused(f"{name} is {value}", remedy="Give a finite number.")


def body_of(params: Mapping[str, Any], renamed: Mapping[str, str], dropped: Iterable[str] = ()) -> dict[str, Any]:
    """The fields of the request's body that a request's parameters become; unknown ones go as they are.

    Left out are parameters set to None, those of the offline model, and ``dropped`` ones.
    """
    left_out = set(dropped)
    return {
        renamed.get(name, name): value
        for name, value in params.items()
        if value is not None and name not in left_out and not name.startswith("offline_")
    }


def split_system(messages: Sequence[ChatMessage]) -> tuple[str, list[ChatMessage]]:
    """The leading system texts joined, and the messages after them; all stay messages when nothing else is there."""
    count = next((n for n, message in enumerate(messages) if message.role not in ("system", "developer")), None)
    if count is None:
        return "", list(messages)
    return "\n\n".join(message.text for message in messages[:count]), list(messages[count:])


def function_of(tool: Mapping[str, Any]) -> dict[str, Any]:
    """name, description, parameters and strict of a tool, written flat or inside ``function``."""
    inner = tool.get("function")
    given = inner if isinstance(inner, Mapping) else tool
    schema = given.get("parameters", given.get("input_schema"))
    described = {"name": given.get("name"), "description": given.get("description"), "strict": given.get("strict")}
    found = {name: value for name, value in described.items() if value is not None}
    return {**found, "parameters": schema if isinstance(schema, Mapping) else {"type": "object", "properties": {}}}


def schema_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """name, schema and strict of a response schema, given bare or wrapped as {name, schema, strict}."""
    inner = schema.get("schema")
    if isinstance(inner, Mapping):
        wrapped = {"name": str(schema.get("name") or "answer"), "schema": dict(inner)}
        return {**wrapped, "strict": schema["strict"]} if isinstance(schema.get("strict"), bool) else wrapped
    return {"name": "answer", "schema": dict(schema)}


def part_of(item: Any, name: str) -> Any:
    """The field of a JSON object, None when it has none or is none."""
    return item.get(name) if isinstance(item, Mapping) else None


def list_of(item: Any, name: str) -> list[Any]:
    """The field when it is a list, else an empty one."""
    value = part_of(item, name)
    return value if isinstance(value, list) else []


def text_of(item: Any, name: str) -> str:
    """The field when it is a text, else ''."""
    value = part_of(item, name)
    return value if isinstance(value, str) else ""


def count_of(item: Any, name: str) -> int | None:
    """The field when it is a whole number that can count tokens, else None."""
    value = part_of(item, name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        return None
    return value


def raw_of(usage: Any) -> Any:
    """The usage as the provider sent it; None when it is no object or unreasonably large."""
    return usage if isinstance(usage, Mapping) and len(json.dumps(usage)) <= MAX_RAW_USAGE else None


def told(**facts: Any) -> dict[str, Any]:
    """The metadata of an answer: what is known of ``facts``."""
    return {name: value for name, value in facts.items() if value not in (None, "", [])}


def _context_of(item: Any) -> int | None:
    for name in ("context_length", "context_window", "max_input_tokens", "max_model_len", "max_context_length"):
        if count := count_of(item, name):
            return count
    return count_of(part_of(item, "meta"), "n_ctx_train") or None


class ToolCalls:
    """Tool calls that come in fragments, by their place in the answer."""

    def __init__(self) -> None:
        self._calls: dict[Any, dict[str, str]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, place: Any, *, id: str = "", name: str = "", arguments: str = "") -> None:
        """Take a fragment: the id and name come once, arguments grow."""
        call = self._calls.setdefault(place, {"id": "", "name": "", "arguments": ""})
        call["id"] = call["id"] or id
        call["name"] = call["name"] or name
        call["arguments"] += arguments

    def events(self) -> list[ToolCall]:
        """The calls in the order in which they began."""
        return [ToolCall(call["id"], call["name"], call["arguments"]) for call in self._calls.values()]


def text_event(text: Any) -> list[ModelEvent]:
    """A piece of the answer when ``text`` is one."""
    return [TextDelta(text)] if isinstance(text, str) and text else []
