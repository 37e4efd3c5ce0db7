"""Which models there are, which one a name means, and the doors to their providers."""

from __future__ import annotations

import asyncio
import re
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ledger_tui.domain import clock
from ledger_tui.domain.calls import OFFLINE, ModelInfo, ModelName, Provider
from ledger_tui.errors import InputError, ProviderError
from ledger_tui.providers import catalog, door, secrets
from ledger_tui.providers.catalog import Endpoint
from ledger_tui.providers.secrets import FoundKey, KeySource, Secret
from ledger_tui.settings import Settings
from ledger_tui.store import models as queries

if TYPE_CHECKING:
    from ledger_tui.store.database import Database

StandIn = Callable[[str], Provider]
"""From the name of a provider to who answers for it."""
MAX_CANDIDATES = 8
_MAKERS = (
    (r"(gpt-|chatgpt-|o[1-9](-|\Z)|codex-)", "openai"),
    (r"claude-", "anthropic"),
    (r"(gemini-|gemma-)", "google"),
    (r"(mistral-|ministral-|magistral-|codestral-|devstral-|pixtral-|open-mi)", "mistral"),
    (r"deepseek-", "deepseek"),
    (r"(command-|c4ai-)", "cohere"),
)


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """What the settings screen shows of one provider; no key is in it."""

    name: str
    title: str
    base_url: str
    wire: str
    key_source: KeySource | Literal["none needed", "missing"]
    enabled: bool
    key_env: tuple[str, ...]
    """Variables that are looked at for the key."""
    problem: str
    """Why it cannot be used as it is, '' when it can: an address that is refused, a key file that cannot be read."""
    model_count: int
    fetched_us: int | None
    """When its models were last listed."""
    refresh_error: ProviderError | None
    """Why listing them failed when last tried by this process."""


class ModelService:
    """Models and providers. Synchronous methods are thread-safe; ``status`` and keys may wait for a keyring (5 s)."""

    def __init__(
        self, database: Database, settings: Settings, *, stand_in: Callable[[], StandIn | None] = lambda: None
    ) -> None:
        """stand_in: asked at every call who answers in the place of all providers; None for nobody."""
        self._database = database
        self._settings = settings
        self._stand_in = stand_in
        self._doors: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Provider]]
        self._doors = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._refresh_errors: dict[str, ProviderError] = {}

    def choices(self) -> list[ModelInfo]:
        """The models to choose from: as last listed, those of the settings, and ``offline`` first. Asks nobody."""
        enabled = {one.name: one for one in self._endpoints()}
        offered = [ModelInfo(OFFLINE, OFFLINE, "Built in: deterministic answers, no network")]
        offered += [info for info in queries.listed(self._database) if info.provider in enabled]
        offered += [ModelInfo(one.name, model) for one in enabled.values() for model in one.models]
        return list({(info.provider, info.model): info for info in reversed(offered)}.values())[::-1]

    async def refresh(self, provider: str | None = None) -> list[ModelInfo]:
        """Ask the providers (one, or all that can be asked) for their models, keep the lists, and return ``choices``.

        A provider that fails keeps its old list; its error is in ``refresh_errors``. Raises InputError for an unknown one.
        """
        asked = [self._endpoint(provider)] if provider else await asyncio.to_thread(self._askable)
        await asyncio.gather(*(self._refresh_one(one) for one in asked if one.wire != OFFLINE))
        return await asyncio.to_thread(self.choices)

    @property
    def refresh_errors(self) -> dict[str, ProviderError]:
        """Provider to what went wrong when its models were last asked for."""
        return dict(self._refresh_errors)

    def resolve(self, text: str) -> ModelName:
        """The model that a person means: ``provider/model``, or a model's own name where that is clear.

        Raises InputError with the candidates when it is not, or when the provider is unknown (one that stands in for
        all knows any) or switched off.
        """
        text = text.strip()
        first, _, rest = text.partition("/")
        known = {one.name: one for one in catalog.endpoints(self._settings)}
        if first == OFFLINE:
            return ModelName(OFFLINE, OFFLINE)
        if first in known and "/" in text:
            if not known[first].enabled:
                raise InputError(f"the provider {first} is switched off", remedy="Switch it on in Settings.")
            if not rest:
                raise InputError(f"{text!r} names no model", remedy=f"Write {first}/MODEL.")
            return ModelName(first, rest)
        if first and rest and self._stand_in() is not None:
            return ModelName(first, rest)
        return self._by_own_name(text)

    def provider(self, name: str) -> Provider:
        """The door to a provider, one for each running event loop. Returns at once; raises InputError for an unknown name.

        What is wrong with address or key shows as ProviderError at the first call.
        """
        if (stand_in := self._stand_in()) is not None:
            return stand_in(name)
        endpoint = self._endpoint(name)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._open(endpoint)
        with self._lock:
            doors = self._doors.setdefault(loop, {})
            if name not in doors:
                doors[name] = self._open(endpoint)
            return doors[name]

    def own_address(self, provider: str) -> str | None:
        """The address that calls to ``provider`` go to when it is not the preset's own: list prices do not hold there."""
        if self._stand_in() is not None and all(one.name != provider for one in self._endpoints()):
            return None
        endpoint = self._endpoint(provider)
        return endpoint.base_url if endpoint.own_address else None

    def status(self) -> list[ProviderStatus]:
        """Every known provider as it stands, also those switched off."""
        asked = queries.last_asked(self._database)
        return [self._status(one, *asked.get(one.name, (0, None))) for one in catalog.endpoints(self._settings)]

    def set_key(self, provider: str, key: str | Secret) -> KeySource:
        """Save a key for the provider's present address; says where it is kept ("memory" when there is no safe keyring).

        Raises InputError for what cannot be a key, AddressRefused when the address may not be called at all.
        """
        secret = key if isinstance(key, Secret) else Secret(key)
        kept = secrets.keep_key(provider, self._endpoint(provider).address().origin, secret)
        self._forget_doors(provider)
        return kept

    def forget_key(self, provider: str) -> bool:
        """Forget the saved key for the provider's present address; whether there was one."""
        dropped = secrets.drop_key(provider, self._endpoint(provider).address().origin)
        self._forget_doors(provider)
        return dropped

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        with self._lock:
            doors = self._doors.pop(asyncio.get_running_loop(), {})
        for opened in doors.values():
            await opened.aclose()

    def _endpoints(self) -> list[Endpoint]:
        return [one for one in catalog.endpoints(self._settings) if one.enabled]

    def _endpoint(self, name: str) -> Endpoint:
        endpoint = catalog.endpoint(name, self._settings)
        if not endpoint.enabled:
            raise InputError(f"the provider {name} is switched off", remedy="Switch it on in Settings.")
        return endpoint

    def _open(self, endpoint: Endpoint) -> Provider:
        return door.open_provider(endpoint, connect_timeout_s=self._settings.connect_timeout_s)

    def _forget_doors(self, provider: str) -> None:
        with self._lock:
            for doors in self._doors.values():
                doors.pop(provider, None)

    def _askable(self) -> list[Endpoint]:
        return [one for one in self._endpoints() if not one.env_names or one.own_address or self._key(one)[0]]

    def _key(self, endpoint: Endpoint) -> tuple[FoundKey | None, str]:
        try:
            return door.key_of(endpoint), ""
        except (ProviderError, InputError) as error:
            return None, str(error)

    async def _refresh_one(self, endpoint: Endpoint) -> None:
        try:
            offered = await self.provider(endpoint.name).models()
        except ProviderError as error:
            self._refresh_errors[endpoint.name] = error
            return
        self._refresh_errors.pop(endpoint.name, None)
        await asyncio.to_thread(queries.replace, self._database, endpoint.name, offered, clock.now_us())

    def _status(self, endpoint: Endpoint, model_count: int, fetched_us: int | None) -> ProviderStatus:
        found, problem = self._key(endpoint)
        needed = bool(endpoint.env_names) and not endpoint.own_address
        return ProviderStatus(
            name=endpoint.name,
            title=endpoint.title,
            base_url=endpoint.base_url,
            wire=endpoint.wire,
            key_source=found.source if found else "missing" if needed else "none needed",
            enabled=endpoint.enabled,
            key_env=endpoint.env_names,
            problem=problem,
            model_count=model_count + len(endpoint.models) + (endpoint.wire == OFFLINE),
            fetched_us=fetched_us,
            refresh_error=self._refresh_errors.get(endpoint.name),
        )

    def _by_own_name(self, text: str) -> ModelName:
        if not text:
            raise InputError("no model is named", remedy="Write provider/model, or offline.")
        choices = self.choices()
        found = [info for info in choices if info.model == text]
        maker = next((name for pattern, name in _MAKERS if re.match(pattern, text.lower())), None)
        if not found and maker and any(one.name == maker for one in self._endpoints()):
            return ModelName(maker, text)
        if len(found) == 1:
            return ModelName(found[0].provider, found[0].model)
        if found:
            raise InputError(f"{text!r} is offered by several"[:200], remedy=f"One of: {_names(found)}.")
        near = [info for info in choices if text.lower() in info.name.lower()]
        remedy = f"Near: {_names(near)}." if near else "Write provider/model, or offline."
        raise InputError(f"there is no model {text!r}"[:200], title="The model is not known", remedy=remedy)


def _names(found: Iterable[ModelInfo]) -> str:
    names = [info.name for info in found]
    more = f" and {len(names) - MAX_CANDIDATES} more" if len(names) > MAX_CANDIDATES else ""
    return ", ".join(names[:MAX_CANDIDATES]) + more
