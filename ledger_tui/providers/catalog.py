"""The providers that are known by name, as data, and what settings and environment make of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ledger_tui.domain.calls import OFFLINE
from ledger_tui.errors import AddressRefused, InputError
from ledger_tui.providers.address import Address, check_address
from ledger_tui.settings import ProviderSettings, Settings


@dataclass(frozen=True, slots=True)
class Preset:
    """What is known of a provider before anybody sets anything."""

    name: str
    title: str
    base_url: str
    wire: str = "chat"
    key_env: tuple[str, ...] = ()
    base_url_env: str = ""
    max_tokens_name: str = "max_tokens"
    """How the server calls the limit of its answer on the chat wire."""
    asks_usage: bool = True
    """Whether it takes ``stream_options``; the others send usage unasked."""


PRESETS: tuple[Preset, ...] = (
    Preset(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        "responses",
        ("OPENAI_API_KEY",),
        "OPENAI_BASE_URL",
        max_tokens_name="max_completion_tokens",
    ),
    Preset(
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com",
        "anthropic",
        ("ANTHROPIC_API_KEY",),
        "ANTHROPIC_BASE_URL",
    ),
    Preset("ollama", "Ollama", "http://localhost:11434/v1"),
    Preset("lmstudio", "LM Studio", "http://localhost:1234/v1"),
    Preset("vllm", "vLLM", "http://localhost:8000/v1"),
    Preset("llamacpp", "llama.cpp", "http://localhost:8080/v1"),
    Preset("openrouter", "OpenRouter", "https://openrouter.ai/api/v1", key_env=("OPENROUTER_API_KEY",)),
    Preset(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        key_env=("GROQ_API_KEY",),
        max_tokens_name="max_completion_tokens",
    ),
    Preset("mistral", "Mistral", "https://api.mistral.ai/v1", key_env=("MISTRAL_API_KEY",), asks_usage=False),
    Preset("deepseek", "DeepSeek", "https://api.deepseek.com/v1", key_env=("DEEPSEEK_API_KEY",)),
    Preset(
        "google",
        "Google Gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ),
    Preset("cohere", "Cohere", "https://api.cohere.ai/compatibility/v1", key_env=("COHERE_API_KEY", "CO_API_KEY")),
    Preset(OFFLINE, "Offline (built in)", "", OFFLINE),
)
BY_NAME: Mapping[str, Preset] = {preset.name: preset for preset in PRESETS}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One provider as it counts now. ``base_url`` is as given, not yet checked."""

    name: str
    title: str
    base_url: str
    wire: str
    env_names: tuple[str, ...]
    """Variables whose key may go to this address."""
    enabled: bool = True
    allow_private: bool = False
    own_address: bool = False
    """Whether the address is another than the preset's: prices of the preset do not hold there."""
    models: tuple[str, ...] = ()
    max_tokens_name: str = "max_tokens"
    asks_usage: bool = True

    def address(self) -> Address:
        """The checked address; raises AddressRefused."""
        if not self.base_url:
            remedy = f"Set base_url under [providers.{self.name}] in the settings file."
            raise AddressRefused(f"{self.name} has none", provider=self.name, remedy=remedy)
        try:
            return check_address(self.base_url, allow_private=self.allow_private)
        except AddressRefused as error:
            error.provider = self.name
            raise


def endpoints(settings: Settings) -> list[Endpoint]:
    """Every known provider, presets first, also those switched off."""
    own = [name for name in settings.providers if name not in BY_NAME]
    return [endpoint(name, settings) for name in (*BY_NAME, *own)]


def endpoint(name: str, settings: Settings) -> Endpoint:
    """The provider ``name``; raises InputError when nobody described it."""
    preset, table = BY_NAME.get(name), settings.providers.get(name)
    if preset is None and table is None:
        raise InputError(
            f"there is no provider {name!r}"[:200],
            remedy=f"Known: {', '.join(sorted({*BY_NAME, *settings.providers}))}. Add others in the settings file.",
        )
    if preset is None:
        assert table is not None
        return _own(table)
    return _preset(preset, table or ProviderSettings(name))


def _own(table: ProviderSettings) -> Endpoint:
    variable = table.key_env or f"{table.name.upper().replace('-', '_')}_API_KEY"
    return Endpoint(
        table.name,
        table.name,
        table.base_url,
        table.wire or "chat",
        (variable,),
        table.enabled,
        table.allow_private,
        own_address=True,
        models=table.models,
    )


def _preset(preset: Preset, table: ProviderSettings) -> Endpoint:
    from_environment = os.environ.get(preset.base_url_env, "").strip() if preset.base_url_env else ""
    base_url = from_environment or table.base_url or preset.base_url
    foreign = _host(base_url) != _host(preset.base_url)
    # A key in the environment was given for the preset's host, or together with the address beside it.
    follows = not foreign or bool(from_environment)
    env_names = (table.key_env,) if table.key_env else preset.key_env if follows else ()
    default_wire = "chat" if foreign and preset.wire == "responses" else preset.wire
    return Endpoint(
        preset.name,
        preset.title,
        base_url,
        table.wire or default_wire,
        env_names,
        table.enabled,
        table.allow_private,
        own_address=foreign,
        models=table.models,
        max_tokens_name="max_tokens" if foreign else preset.max_tokens_name,
        asks_usage=foreign or preset.asks_usage,
    )


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()
