"""What a person may set: every option is described once, and file, screen and docs come from that description.

Reading never fails: each mistake is one ``SettingsError`` and the rest still counts. Secrets are not settings.
"""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from ledger_tui.errors import SettingsError
from ledger_tui.frozen import frozen
from ledger_tui.paths import Paths

Kind = Literal["text", "number", "whole number", "yes or no", "list of texts"]
Wire = Literal["responses", "chat", "anthropic"]
WIRES: tuple[Wire, ...] = ("responses", "chat", "anthropic")
MAX_FILE_BYTES = 1024 * 1024
MAX_SYNTAX_ERRORS = 20
_PROVIDER_NAME = r"[a-z0-9][a-z0-9_-]{0,63}\Z"
_TOML_PLACE = r"\s*\(at (?:line (\d+), column \d+|end of document)\)"
T = TypeVar("T")


@frozen
class Option:
    """One thing that can be set. ``low`` and ``high`` bound numbers; the variable ``env`` wins over the file."""

    key: str
    kind: Kind
    default: Any
    doc: str
    choices: tuple[str, ...] = ()
    env: str = ""
    low: float | None = None
    high: float | None = None


_described: dict[str, dict[str, Option]] = {}


def _option(kind: Kind, default: Any, doc: str, *, key: str = "", **more: Any) -> Any:
    return Option(key, kind, default, doc, **more)


def _options(kind: type[T]) -> type[T]:
    """Take the descriptions out of a class and leave the defaults."""
    _described[kind.__name__] = found = {}
    for name, one in [(name, one) for name, one in vars(kind).items() if isinstance(one, Option)]:
        found[name] = Option(**{**vars(one), "key": one.key or name})
        setattr(kind, name, tuple(one.default) if isinstance(one.default, list) else one.default)
    return kind


@frozen
@_options
class ProviderSettings:
    """One ``[providers.<name>]`` table: changes a preset, or describes a provider of one's own."""

    name: str
    base_url: str = _option("text", "", "Address of the server, e.g. http://localhost:8080/v1; empty: the preset's.")
    wire: str = _option("text", "", "Which protocol the server speaks; empty: the preset's, else chat.", choices=WIRES)
    models: tuple[str, ...] = _option("list of texts", [], "Models to offer besides those that the server lists.")
    enabled: bool = _option("yes or no", True, "Whether the provider is offered at all.")
    allow_private: bool = _option("yes or no", False, "Allow an address in a private network (10.x, 192.168.x ...).")
    key_env: str = _option("text", "", "Variable that holds the key; empty: the preset's, else <NAME>_API_KEY.")


@frozen
@_options
class Settings:
    """What counts now: defaults, then the file, then the environment."""

    theme: str = _option("text", "", "Name of the colour theme; empty: the first one.", env="LEDGER_THEME")
    environment: str = _option("text", "dev", "Environment that runs are recorded under.", env="LEDGER_ENVIRONMENT")
    author_setting: str = _option(
        "text", "", "Who is named as author; empty: git's user.name, else the login.", key="author", env="LEDGER_AUTHOR"
    )
    default_model: str = _option(
        "text", "offline", "Model of new prompts, as provider/model.", env="LEDGER_DEFAULT_MODEL"
    )
    timeout_s: float = _option("number", 120.0, "Seconds a model may take for its whole answer.", low=1, high=3600)
    connect_timeout_s: float = _option("number", 10.0, "Seconds to wait for a connection.", low=0.1, high=300)
    max_rendered_kb: int = _option(
        "whole number", 200, "Largest rendered prompt in kB; more is cut.", low=1, high=10240
    )
    max_response_kb: int = _option("whole number", 500, "Largest answer kept in kB; more is cut.", low=1, high=32768)
    code_folder: str = _option(
        "text",
        "",
        "Folder of the program whose prompts Drift looks at; empty: where the workstation was started.",
        env="LEDGER_CODE_FOLDER",
    )
    editor: str = _option("text", "", "Command that opens a text; empty: $VISUAL, else $EDITOR.", env="LEDGER_EDITOR")
    trace_refresh_s: float = _option("number", 1.0, "Seconds between looks for new traces; 0 never.", low=0, high=3600)
    spool_mb: int = _option(
        "whole number", 1024, "Largest size in MB of recorded spans that wait for the database.", low=16, high=1048576
    )
    queue_concurrency: int = _option("whole number", 4, "Queued calls that one program runs at a time.", low=1, high=64)
    render_in_process: bool = _option(
        "yes or no", True, "Programs render their own prompts in their own process; false: in a limited helper process."
    )
    budgets_stop_wrapped_calls: bool = _option(
        "yes or no", True, "A spent budget stops calls of wrapped clients too, before they are sent; false: only told."
    )
    alert_command: tuple[str, ...] = _option(
        "list of texts",
        (),
        "Command to run once for each alert, program and arguments; no shell, the facts are in LEDGER_ALERT_* variables.",
    )
    retention_texts_days: int = _option(
        "whole number", 0, "Days after which texts of steps, renders and calls go; 0: never.", low=0, high=36500
    )
    retention_spans_days: int = _option(
        "whole number", 0, "Days after which the steps of whole traces go; 0: never. Sums stay.", low=0, high=36500
    )
    retention_texts_by_kind: tuple[str, ...] = _option(
        "list of texts", (), "Days of the texts of some kinds of steps instead, e.g. tool=7, retrieval=14."
    )
    providers: Mapping[str, ProviderSettings] = MappingProxyType({})
    """The ``[providers.<name>]`` tables by name."""
    from_environment: frozenset[str] = frozenset()
    """Keys of options whose value an environment variable gave."""

    @property
    def author(self) -> str:
        """Who is named as author: the setting, else git's user.name (asked once), else the login; may be empty."""
        return self.author_setting or _guessed_author()

    def value(self, option: Option) -> Any:
        """The value of one of ``OPTIONS`` as set (an empty author stays empty)."""
        return getattr(self, _FIELD_OF[option.key])


OPTIONS, PROVIDER_OPTIONS = (tuple(_described[kind.__name__].values()) for kind in (Settings, ProviderSettings))
"""Every option at the top of the file, and of a ``[providers.<name>]`` table."""
_FIELD_OF = {option.key: name for name, option in _described["Settings"].items()}


@functools.cache
def _guessed_author() -> str:
    import getpass
    import subprocess

    try:
        asked = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, timeout=2, check=False)
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        pass
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def load_settings(paths: Paths) -> tuple[Settings, list[SettingsError]]:
    """What counts now and every mistake found; never raises. A missing file is no mistake."""
    file = paths.settings
    errors: list[SettingsError] = []
    source = _read(file, errors)
    data = _parse(source, str(file), errors)
    reader = _Reader(source, str(file), errors)
    values = reader.options(OPTIONS, data, (), known=("providers",))
    tables = reader.providers(data.get("providers", {}))
    from_environment = _from_environment(values, errors)
    named = {_FIELD_OF[key]: value for key, value in values.items()}
    return Settings(**named, providers=tables, from_environment=frozenset(from_environment)), errors


def _from_environment(values: dict[str, Any], errors: list[SettingsError]) -> list[str]:
    taken: list[str] = []
    for option in OPTIONS:
        given = os.environ.get(option.env, "") if option.env else ""
        if not given:
            continue
        try:
            values[option.key] = checked(option, _from_text(option, given))
            taken.append(option.key)
        except SettingsError as error:
            errors.append(SettingsError(error.cause, file=f"${option.env}", remedy=error.remedy))
    return taken


def _from_text(option: Option, text: str) -> Any:
    if option.kind in ("number", "whole number"):
        try:
            return int(text) if option.kind == "whole number" else float(text)
        except ValueError:
            return text
    return text


def checked(option: Option, value: Any) -> Any:
    """``value`` as the option takes it (whole numbers become numbers, lists tuples); raises SettingsError."""
    wrong = SettingsError(f"{option.key} should be a {option.kind}, not {value!r}"[:200], remedy=option.doc)
    if option.kind in ("number", "whole number"):
        return _checked_number(option, value, wrong)
    if option.kind == "yes or no":
        if not isinstance(value, bool):
            raise SettingsError(wrong.cause, remedy="Write true or false.")
        return value
    if option.kind == "list of texts":
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise wrong
        return tuple(value)
    if not isinstance(value, str) or "\x00" in value:
        raise wrong
    if option.choices and value and value not in option.choices:
        raise SettingsError(f"{option.key} cannot be {value!r}"[:200], remedy=f"One of: {', '.join(option.choices)}.")
    return value.strip()


def _checked_number(option: Option, value: Any, wrong: SettingsError) -> int | float:
    whole = option.kind == "whole number"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise wrong
    low, high = option.low, option.high
    if not (low is None or value >= low) or not (high is None or value <= high):
        raise SettingsError(f"{option.key} is {value}", remedy=f"Give a {option.kind} from {low:g} to {high:g}.")
    return int(value) if whole else float(value)


class _Reader:
    """Takes values out of parsed tables and notes what is wrong with them, with the line where it stands."""

    def __init__(self, source: str, file: str, errors: list[SettingsError]) -> None:
        self.lines = source.splitlines()
        self.file = file
        self.errors = errors

    def options(
        self, options: tuple[Option, ...], table: Mapping[str, Any], place: tuple[str, ...], known: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        by_key = {option.key: option for option in options}
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key in by_key:
                try:
                    values[key] = checked(by_key[key], value)
                except SettingsError as error:
                    self.note(error.cause, (*place, key), error.remedy)
            elif key not in known:
                self.note(f"there is no setting {'.'.join((*place, key))!r}", (*place, key), _did_you_mean(key, by_key))
        return values

    def providers(self, tables: Any) -> dict[str, ProviderSettings]:
        if not isinstance(tables, dict):
            self.note("providers should be tables like [providers.local]", ("providers",), "")
            return {}
        found: dict[str, ProviderSettings] = {}
        for name, table in tables.items():
            place = ("providers", name)
            if not re.match(_PROVIDER_NAME, name) or name == "offline":
                remedy = "Use lower-case letters, digits, '-' and '_'; 'offline' is built in."
                self.note(f"a provider cannot be named {name!r}"[:200], place, remedy)
            elif not isinstance(table, dict):
                self.note(f"{'.'.join(place)} should be a table", place, f"Write [providers.{name}].")
            else:
                found[name] = ProviderSettings(name, **self.options(PROVIDER_OPTIONS, table, place))
        return found

    def note(self, cause: str, place: tuple[str, ...], remedy: str) -> None:
        self.errors.append(SettingsError(cause, file=self.file, line=self.line_of(place), remedy=remedy))

    def line_of(self, place: tuple[str, ...]) -> int:
        """1-based line where the key or table of ``place`` is written, 0 when it is not found."""
        table: tuple[str, ...] = ()
        for number, line in enumerate(self.lines, 1):
            header = re.match(r"\s*\[+([^\[\]]+)\]", line)
            if header:
                table = _dotted(header[1])
                if table == place:
                    return number
            key = re.match(r"\s*([^=#\[]+?)\s*=", line)
            if key and (*table, *_dotted(key[1])) == place:
                return number
        return 0


def _dotted(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def _did_you_mean(key: str, known: Mapping[str, Any]) -> str:
    import difflib

    near = difflib.get_close_matches(key, known, 1)
    return f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(known)}."


def _read(file: Path, errors: list[SettingsError]) -> str:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise OSError("it is not a file")
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise OSError(f"it is larger than {MAX_FILE_BYTES // 1024} kB")
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        errors.append(SettingsError("it is not UTF-8 text", file=str(file), line=line, remedy="Save it as UTF-8."))
    except (OSError, ValueError) as error:
        errors.append(SettingsError(str(error), file=str(file), remedy="Check the file and its permissions."))
    return ""


def _parse(source: str, file: str, errors: list[SettingsError]) -> dict[str, Any]:
    """The tables of ``source``; a line that is no TOML is noted and left out, with its table when it is a header."""
    if not source:
        return {}
    import tomllib

    lines = source.splitlines()
    for _ in range(MAX_SYNTAX_ERRORS):
        try:
            return tomllib.loads("\n".join(lines))
        except tomllib.TOMLDecodeError as error:
            place = re.search(_TOML_PLACE, str(error))
            number = int(place[1]) if place and place[1] else len(lines)
            cause = re.sub(_TOML_PLACE, "", str(error)) or "this is not TOML"
            remedy = "The rest of the file counts." if place and place[1] else "The last text or list does not end."
            errors.append(SettingsError(cause, file=file, line=number, remedy=remedy))
            if not _leave_out(lines, number - 1):
                break
        except (ValueError, RecursionError) as error:
            errors.append(SettingsError(str(error) or "it is nested too deeply", file=file))
            break
    return {}


def _leave_out(lines: list[str], index: int) -> bool:
    if not 0 <= index < len(lines) or not lines[index]:
        return False
    header = lines[index].lstrip().startswith("[")
    lines[index] = ""
    while header and index + 1 < len(lines) and not lines[index + 1].lstrip().startswith("["):
        index += 1
        lines[index] = ""
    return True


def write_setting(paths: Paths, key: str, value: Any) -> None:
    """Set one option in the file, e.g. ``theme`` or ``providers.local.base_url``; None takes it out.

    Comments and order stay. The file is replaced at once, readable by its owner only. Raises SettingsError (unknown
    key, wrong value, a file that cannot be read as TOML or not be written); then nothing was changed.
    """
    place = _place_of(key)
    if value is not None:
        value = checked(_option_at(place), value)
    try:
        target = paths.settings.resolve()
    except (OSError, RuntimeError) as error:
        raise SettingsError(str(error), file=str(paths.settings)) from error
    errors: list[SettingsError] = []
    source = _read(target, errors)
    if errors:
        raise errors[0]
    from ledger_tui.settings_file import edited, replace

    replace(target, edited(source, str(target), place, list(value) if isinstance(value, tuple) else value))


def _place_of(key: str) -> tuple[str, ...]:
    if key.startswith("providers."):
        name, _, last = key.removeprefix("providers.").rpartition(".")
        return ("providers", name, last)
    return (key,)


def _option_at(place: tuple[str, ...]) -> Option:
    options = {option.key: option for option in (PROVIDER_OPTIONS if len(place) == 3 else OPTIONS)}
    if place[-1] not in options:
        raise SettingsError(f"there is no setting {'.'.join(place)!r}"[:200], remedy=_did_you_mean(place[-1], options))
    if len(place) == 3 and (not re.match(_PROVIDER_NAME, place[1]) or place[1] == "offline"):
        raise SettingsError(f"a provider cannot be named {place[1]!r}"[:200])
    return options[place[-1]]
