"""Which models there are and which one a name means; lists come from real servers and are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import keyring
import pytest
from ledger_tui.domain.calls import ModelInfo, ModelName
from ledger_tui.errors import AddressRefused, AuthRefused, InputError, KeyMissing, ProviderError
from ledger_tui.providers import secrets
from ledger_tui.providers.catalog import PRESETS
from ledger_tui.services.models import ModelService
from ledger_tui.settings import ProviderSettings, Settings
from ledger_tui.store import models as queries
from ledger_tui.store.database import Database

from tests.providers.conftest import CANARY, asking, hear
from tests.providers.test_secrets import MemoryKeyring
from tests.servers.failures import FailingServer


@pytest.fixture(autouse=True)
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryKeyring]:
    """An empty keyring, and no addresses from the environment."""
    for variable in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(secrets, "_in_memory", {})
    monkeypatch.setattr(secrets, "_keyring_off_until", 0.0)
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def service(database: Database, *tables: ProviderSettings) -> ModelService:
    """A service with these providers of one's own."""
    return ModelService(database, Settings(providers={table.name: table for table in tables}))


def names(choices: list[ModelInfo]) -> list[str]:
    """Names as typed."""
    return [info.name for info in choices]


async def test_lists_come_from_the_provider_and_are_kept(any_database: Database, llama_server: str) -> None:
    """A real server's list is fetched, kept in the database, and offered by a later service that asks nobody."""
    local = ProviderSettings("local", f"{llama_server}/v1", models=("by-hand",))
    models = service(any_database, local)
    assert names(models.choices()) == ["offline", "local/by-hand"]
    assert names(await models.refresh("local")) == ["offline", "local/tiny", "local/by-hand"]
    await models.aclose()
    later = service(any_database, local).choices()
    assert [(info.name, info.context_tokens) for info in later if info.model == "tiny"] == [("local/tiny", 4096)]


async def test_one_failing_provider_does_not_stop_the_others(database: Database, failing_server: FailingServer) -> None:
    """Refreshing collects errors by provider; a provider that fails keeps its old list."""
    tables = [ProviderSettings(name, failing_server.url(name)) for name in ("ok", "401")]
    presets = [ProviderSettings(preset.name, enabled=False) for preset in PRESETS if preset.name != "offline"]
    models = service(database, *tables, *presets)
    queries.replace(database, "401", [ModelInfo("401", "from-before")], 1)
    assert names(await models.refresh()) == ["offline", "401/from-before", "ok/m-1", "ok/m-2"]
    assert {name: type(error) for name, error in models.refresh_errors.items()} == {"401": AuthRefused}
    status = {one.name: one for one in models.status()}
    assert isinstance(status["401"].refresh_error, AuthRefused) and status["401"].fetched_us == 1
    assert status["ok"].model_count == 2 and status["ok"].refresh_error is None
    await models.aclose()


def test_names(database: Database) -> None:
    """A name with its provider is taken as it is; a model's own name where it is clear; else candidates are named."""
    models = service(
        database,
        ProviderSettings("a", "https://a.example", models=("shared", "only-a", "org/deep")),
        ProviderSettings("b"),
    )
    queries.replace(database, "b", [ModelInfo("b", "shared")], 1)
    expected = {
        "offline": ModelName("offline", "offline"),
        "offline/whatever": ModelName("offline", "offline"),
        "openai/gpt-4o": ModelName("openai", "gpt-4o"),
        " gpt-4o ": ModelName("openai", "gpt-4o"),
        "claude-sonnet-4-5": ModelName("anthropic", "claude-sonnet-4-5"),
        "gemini-2.5-pro": ModelName("google", "gemini-2.5-pro"),
        "openrouter/meta-llama/llama-3-8b": ModelName("openrouter", "meta-llama/llama-3-8b"),
        "b/not-yet-listed": ModelName("b", "not-yet-listed"),
        "only-a": ModelName("a", "only-a"),
        "org/deep": ModelName("a", "org/deep"),
    }
    assert {text: models.resolve(text) for text in expected} == expected
    with pytest.raises(InputError) as caught:
        models.resolve("shared")
    assert "a/shared" in caught.value.remedy and "b/shared" in caught.value.remedy
    for text in ("", "/", "openai/", "no-such-model", "nobody/x", "\x1b[31m"):
        with pytest.raises(InputError):
            models.resolve(text)


def test_a_switched_off_provider_is_not_offered(database: Database) -> None:
    """Switching a provider off takes its models away and says so when it is named."""
    models = service(database, ProviderSettings("openai", enabled=False, models=("m",)))
    assert names(models.choices()) == ["offline"]
    for work in (
        lambda: models.resolve("openai/m"),
        lambda: models.resolve("gpt-4o"),
        lambda: models.provider("openai"),
    ):
        with pytest.raises(InputError):
            work()
    assert not next(one for one in models.status() if one.name == "openai").enabled


async def test_a_saved_key_is_sent_to_its_host_only(
    database: Database, failing_server: FailingServer, ring: MemoryKeyring
) -> None:
    """A key saved for one address is sent there at once, and not to the same provider at another address."""
    here = service(database, ProviderSettings("own", failing_server.url("ok")))
    await hear(here.provider("own"), asking())
    assert here.set_key("own", CANARY) == "keyring"
    await hear(here.provider("own"), asking())
    elsewhere = service(database, ProviderSettings("own", failing_server.url("ok", host="localhost")))
    await hear(elsewhere.provider("own"), asking())
    assert here.forget_key("own") and not here.forget_key("own")
    await hear(here.provider("own"), asking())
    sent = [CANARY in str(request.headers) for request in failing_server.requests]
    assert sent == [False, True, False, False]
    await here.aclose()
    await elsewhere.aclose()


async def test_a_key_of_the_environment_does_not_follow_another_address(
    database: Database, failing_server: FailingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPENAI_API_KEY goes to OpenAI or to the address given beside it, not to an address from a settings file."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    from_file = service(database, ProviderSettings("openai", failing_server.url("ok")))
    await hear(from_file.provider("openai"), asking())
    monkeypatch.setenv("OPENAI_BASE_URL", failing_server.url("ok"))
    from_environment = service(database)
    await hear(from_environment.provider("openai"), asking())
    named = service(database, ProviderSettings("openai", failing_server.url("ok"), key_env="OPENAI_API_KEY"))
    await hear(named.provider("openai"), asking())
    assert [CANARY in str(request.headers) for request in failing_server.requests] == [False, True, True]
    assert from_file.own_address("openai") and ModelService(database, Settings()).own_address("mistral") is None
    for models in (from_file, from_environment, named):
        await models.aclose()


async def test_a_missing_key_is_told_before_anything_is_sent(database: Database) -> None:
    """A hosted provider without a key fails at once and names the variable."""
    models = service(database)
    with pytest.raises(KeyMissing, match="needs one") as caught:
        await hear(models.provider("anthropic"), asking())
    assert "ANTHROPIC_API_KEY" in caught.value.remedy


def test_status(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status of every provider tells where its key comes from and what is wrong, and never the key."""
    monkeypatch.setenv("GROQ_API_KEY", CANARY)
    models = service(database, ProviderSettings("bad", "http://169.254.169.254/v1"), ProviderSettings("bare"))
    models.set_key("mistral", CANARY + "-saved")
    status = {one.name: one for one in models.status()}
    assert {name: status[name].key_source for name in ("openai", "groq", "mistral", "ollama", "offline")} == {
        "openai": "missing",
        "groq": "environment",
        "mistral": "keyring",
        "ollama": "none needed",
        "offline": "none needed",
    }
    assert "not allowed" in status["bad"].problem and status["bare"].problem and not status["groq"].problem
    assert CANARY not in repr(status)
    with pytest.raises(AddressRefused):
        models.set_key("bad", CANARY)
    with pytest.raises(InputError):
        models.set_key("groq", "two\nlines")


def test_doors_belong_to_their_event_loop(database: Database) -> None:
    """One door a provider and event loop: connections of a loop that ended are never used in another."""
    models = service(database)

    async def door() -> object:
        assert models.provider("offline") is models.provider("offline")
        return models.provider("offline")

    first, second = asyncio.run(door()), asyncio.run(door())
    assert first is not second
    with pytest.raises(InputError):
        models.provider("nobody")


async def test_every_preset_opens(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every preset has a good address, a door and a clear first error or none: nothing but ours is raised."""
    models = service(database)
    for preset in PRESETS:
        provider = models.provider(preset.name)
        assert provider.name == preset.name
        if preset.key_env:
            with pytest.raises(ProviderError):
                await provider.models()
        await provider.aclose()
