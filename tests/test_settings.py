"""Settings: described once, read without ever failing, written without losing a comment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from ledger_tui.errors import SettingsError
from ledger_tui.paths import Paths
from ledger_tui.settings import OPTIONS, PROVIDER_OPTIONS, ProviderSettings, Settings, load_settings, write_setting

ENVIRONMENT = [option.env for option in OPTIONS if option.env]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the person who runs the tests do not count."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def written(paths: Paths, text: str) -> Paths:
    """``paths`` with this settings file."""
    paths.config.mkdir(parents=True, exist_ok=True)
    paths.settings.write_text(text, encoding="utf-8")
    return paths


def test_no_file_means_defaults(paths: Paths) -> None:
    """Without a file every option has its default, and nothing is created."""
    settings, errors = load_settings(paths)
    assert errors == [] and not paths.config.exists()
    for option in OPTIONS:
        assert settings.value(option) == option.default
    assert (settings.environment, settings.default_model, settings.timeout_s) == ("dev", "offline", 120.0)


def test_every_option_is_described() -> None:
    """Every option has a sentence, and a default that fits its own bounds and choices."""
    for option in (*OPTIONS, *PROVIDER_OPTIONS):
        assert option.doc.endswith("."), option.key
        if isinstance(option.default, int | float) and not isinstance(option.default, bool):
            assert option.low is not None and option.high is not None
            assert option.low <= option.default <= option.high


def test_values_and_providers_are_read(paths: Paths) -> None:
    """Options and provider tables of the file count; whole numbers serve where numbers are wanted."""
    written(
        paths,
        'theme = "nord"\ntimeout_s = 30\n[providers.local]\nbase_url = "http://localhost:1/v1"\n'
        'wire = "chat"\nmodels = ["llama3"]\nallow_private = true\n',
    )
    settings, errors = load_settings(paths)
    assert errors == []
    assert (settings.theme, settings.timeout_s) == ("nord", 30.0)
    assert settings.providers == {
        "local": ProviderSettings("local", "http://localhost:1/v1", "chat", ("llama3",), allow_private=True)
    }


def test_every_mistake_is_one_error_and_the_rest_counts(paths: Paths) -> None:
    """Wrong values, unknown keys and broken lines are told with their lines, and everything else still counts."""
    written(
        paths,
        'environment = "prod"\n'
        "timeout_s = 'long'\n"
        "this is no toml\n"
        'them = "x"\n'
        "max_response_kb = 0\n"
        "connect_timeout_s = nan\n"
        "[providers.local]\n"
        'base_url = "http://localhost:1/v1"\n'
        'wire = "smoke"\n'
        "enabled = 1\n"
        "[providers.Bad-Name]\n"
        'base_url = "x"\n'
        "[providers.offline]\n",
    )
    settings, errors = load_settings(paths)
    assert sorted(error.line for error in errors) == [2, 3, 4, 5, 6, 9, 10, 11, 13]
    assert all(error.file == str(paths.settings) for error in errors)
    assert "'theme'" in next(error.remedy for error in errors if error.line == 4)
    assert settings.environment == "prod" and settings.timeout_s == 120.0
    assert settings.providers["local"].base_url == "http://localhost:1/v1" and list(settings.providers) == ["local"]


def test_a_broken_header_takes_its_table_along(paths: Paths) -> None:
    """Keys under a header that cannot be read do not end up in the table above it."""
    written(paths, '[providers.a]\nbase_url = "https://a.example"\n[providers.b\nbase_url = "https://b.example"\n')
    settings, errors = load_settings(paths)
    assert [error.line for error in errors] == [3]
    assert settings.providers["a"].base_url == "https://a.example" and "b" not in settings.providers


@pytest.mark.parametrize("make", ["folder", "binary", "utf16", "huge", "fifo", "unreadable", "loop"])
def test_files_that_are_none(paths: Paths, make: str) -> None:
    """Whatever stands where the file should be, there is one error and the defaults count."""
    paths.config.mkdir(parents=True)
    file = paths.settings
    makers = {
        "folder": file.mkdir,
        "binary": lambda: file.write_bytes(b"\xff\xfe\x00"),
        "utf16": lambda: file.write_text('theme = "x"', encoding="utf-16"),
        "huge": lambda: file.write_text("# " + "x" * 2_000_000),
        "fifo": lambda: os.mkfifo(file),
        "unreadable": lambda: file.write_text("x = 1\nx = 2\n[a]\n[a]\n"),
        "loop": lambda: file.symlink_to(file),
    }
    makers[make]()
    settings, errors = load_settings(paths)
    assert errors and settings == Settings()


def test_a_byte_order_mark_and_windows_lines_are_fine(paths: Paths) -> None:
    """Files of other systems' editors are read."""
    written(paths, '\ufefftheme = "nord"\r\nenvironment = "prod"\r\n')
    settings, errors = load_settings(paths)
    assert errors == [] and (settings.theme, settings.environment) == ("nord", "prod")


@trying(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(["[", "]", "=", '"""', "theme", "providers", ".", "\n", "1", "{", "'"]), max_size=40
    ).map("".join)
)
def test_reading_never_fails(paths: Paths, text: str) -> None:
    """Any text gives settings and a list of errors."""
    paths.config.mkdir(parents=True, exist_ok=True)
    paths.settings.write_bytes(text.encode("utf-8", "replace"))
    settings, errors = load_settings(paths)
    assert isinstance(settings, Settings) and all(isinstance(error, SettingsError) for error in errors)


def test_the_environment_wins(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable counts more than the file and is marked; an empty one does not count; a wrong one is an error."""
    written(paths, 'environment = "prod"\ntheme = "nord"\n')
    monkeypatch.setenv("LEDGER_ENVIRONMENT", "staging")
    monkeypatch.setenv("LEDGER_THEME", "")
    settings, errors = load_settings(paths)
    assert errors == [] and (settings.environment, settings.theme) == ("staging", "nord")
    assert settings.from_environment == {"environment"}


def test_the_author(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """The author is the setting, else what git says."""
    from ledger_tui import settings as room

    room._guessed_author.cache_clear()
    subprocess.run(["git", "config", "--global", "user.name", "Grace Hopper"], check=True)
    assert load_settings(paths)[0].author == "Grace Hopper"
    written(paths, 'author = "Ada"\n')
    assert load_settings(paths)[0].author == "Ada"
    room._guessed_author.cache_clear()


def test_writing_keeps_comments(paths: Paths) -> None:
    """Setting options changes their values only: comments, order and other tables stay; the file is the owner's alone."""
    written(
        paths, '# mine\ntheme = "nord" # the blue one\n\n[providers.local] # at home\nbase_url = "http://localhost:1"\n'
    )
    write_setting(paths, "theme", "gruvbox")
    write_setting(paths, "timeout_s", 45)
    write_setting(paths, "providers.local.models", ["a", "b"])
    write_setting(paths, "providers.other.base_url", "https://other.example/v1")
    text = paths.settings.read_text()
    for kept in ("# mine", 'theme = "gruvbox" # the blue one', "[providers.local] # at home"):
        assert kept in text
    settings, errors = load_settings(paths)
    assert errors == [] and (settings.theme, settings.timeout_s) == ("gruvbox", 45.0)
    assert settings.providers["local"].models == ("a", "b")
    assert settings.providers["other"].base_url == "https://other.example/v1"
    assert paths.settings.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in paths.config.iterdir()] == ["settings.toml"]


def test_every_option_can_be_written_and_taken_out(paths: Paths) -> None:
    """Each option written with its default reads back the same, and None takes it out again."""
    for option in OPTIONS:
        write_setting(paths, option.key, option.default)
    for option in PROVIDER_OPTIONS:
        write_setting(paths, f"providers.local.{option.key}", option.default)
    settings, errors = load_settings(paths)
    assert errors == [] and settings.providers == {"local": ProviderSettings("local")}
    for option in OPTIONS:
        write_setting(paths, option.key, None)
    assert "theme" not in paths.settings.read_text()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("them", "x"),
        ("timeout_s", "soon"),
        ("timeout_s", float("nan")),
        ("timeout_s", 10**9),
        ("timeout_s", True),
        ("theme", 3),
        ("theme", "nul\0"),
        ("providers.local.wire", "smoke"),
        ("providers.Bad Name.wire", "chat"),
        ("providers.offline.enabled", False),
        ("providers.local", "x"),
        ("providers", {}),
        ("", ""),
    ],
)
def test_wrong_values_are_not_written(paths: Paths, key: str, value: object) -> None:
    """What could not be read back is refused with a reason, and the file stays as it was."""
    written(paths, "# as it was\n")
    with pytest.raises(SettingsError):
        write_setting(paths, key, value)
    assert paths.settings.read_text() == "# as it was\n"


def test_a_link_that_leads_to_itself_is_not_written(paths: Paths) -> None:
    """A settings file that is a loop of links is an error of ours."""
    paths.config.mkdir(parents=True)
    paths.settings.symlink_to(paths.settings)
    with pytest.raises(SettingsError):
        write_setting(paths, "theme", "nord")


@pytest.mark.parametrize("text", ["theme = \n", "providers = 3\n", "[providers]\nlocal = 1\n"])
def test_a_broken_file_is_not_overwritten(paths: Paths, text: str) -> None:
    """A file with mistakes is left for its owner to mend."""
    written(paths, text)
    with pytest.raises(SettingsError):
        write_setting(paths, "providers.local.base_url", "https://x.example")
    assert paths.settings.read_text() == text


def test_a_linked_file_stays_a_link(paths: Paths, tmp_path: Path) -> None:
    """Settings kept elsewhere and linked are written where they are."""
    elsewhere = tmp_path / "dotfiles.toml"
    elsewhere.write_text("# kept elsewhere\n")
    paths.config.mkdir(parents=True)
    paths.settings.symlink_to(elsewhere)
    write_setting(paths, "theme", "nord")
    assert paths.settings.is_symlink() and 'theme = "nord"' in elsewhere.read_text()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a folder that cannot be written")
def test_a_folder_that_cannot_be_written(paths: Paths) -> None:
    """A read-only folder is an error with a remedy, and nothing is left behind."""
    written(paths, "# as it was\n")
    paths.config.chmod(0o500)
    with pytest.raises(SettingsError):
        write_setting(paths, "theme", "nord")
    paths.config.chmod(0o700)
    assert [file.name for file in paths.config.iterdir()] == ["settings.toml"]


def test_reading_loads_no_heavy_library(paths: Paths) -> None:
    """Reading settings in a fresh interpreter loads neither pydantic nor tomlkit."""
    code = (
        "import sys; from pathlib import Path; from ledger_tui.paths import Paths;"
        "from ledger_tui.settings import load_settings; load_settings(Paths(Path('x'), Path('x')));"
        "print([name for name in ('pydantic', 'tomlkit', 'httpx2', 'keyring') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
