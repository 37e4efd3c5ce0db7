"""What must not be written is not, and what cannot be made safe in time is withheld."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_tui import PromptLedger, testing
from ledger_tui.domain import redaction
from ledger_tui.domain.content import PromptContent
from ledger_tui.errors import InputError
from ledger_tui.services.executing import wait_for
from ledger_tui.services.redaction import Redactor, Withheld
from ledger_tui.services.run_values import RunRequest

from tests.sdk.seen import named

CANARIES = {
    "openai": "sk-canary-0123456789abcdef",
    "aws": "AKIACANARY0123456789"[:20],
    "github": "ghp_canary0123456789abcdefghijkl",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJjYW5hcnkifQ.c2lnbmF0dXJl",
    "pem": "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5Y2FuYXJ5\n-----END PRIVATE KEY-----",
    "card": "4111 1111 1111 1111",
    "email": "canary.bird@example.co.uk",
    "phone": "+49 171 2345678",
    "iban": "DE89 3704 0044 0532 0130 00",
}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("emails", "a@b.de, <o'neil+x@mail.example.org>! not@home @you", "[email], <[email]>! not@home @you"),
        ("emails", "ünï@münchen.de", "[email]"),
        ("cards", "4111-1111-1111-1111 123, 378282246310005", "[card] 123, [card]"),
        ("cards", "order 1234567890123456 at 1700000000000000", "order 1234567890123456 at 1700000000000000"),
        ("phones", "+1 (555) 123-4567, 555-123-4567, 0171 2345678", "[phone], [phone], [phone]"),
        ("phones", "2024-01-05 10:30 192.168.100.200 0.1234567", "2024-01-05 10:30 192.168.100.200 0.1234567"),
        ("iban", "DE89 3704 0044 0532 0130 00 and GB82WEST12345698765432.", "[iban] and [iban]."),
        ("iban", "DE88 3704 0044 0532 0130 00 or AB12cd34ef56ab78cd90", "DE88 3704 0044 0532 0130 00 or AB12cd34ef56ab78cd90"),
        ("keys", "task-list, risk-free and sk-0123456789", "task-list, risk-free and •••"),
    ],
)  # fmt: skip
def test_named_patterns(name: str, text: str, expected: str) -> None:
    """Each named pattern finds what it is for, and leaves numbers, dates and words alone."""
    assert redaction.NAMED[name](text) == expected


KEYS = {
    **{name: CANARIES[name] for name in ("openai", "aws", "github", "jwt", "pem")},
    "anthropic": "sk-ant-api03-canary_0123456789",
    "groq": "gsk_canary0123456789",
    "xai": "xai-canary0123456789",
    "hugging face": "hf_canary0123456789abc",
    "perplexity": "pplx-canary0123456789",
    "cerebras": "csk-canary0123456789",
    "google": "AIzacanary0123456789canary0123456789",
    "github token": "github_pat_canary0123456789canary",
    "slack": "xoxb-canary0123456789",
    "bearer": "Bearer canary.0123456789",
}


@pytest.mark.parametrize("shape", KEYS)
def test_shapes_of_keys(shape: str) -> None:
    """Every shape of key is found in the middle of other words, several in one text too."""
    kept = "Bearer •••" if shape == "bearer" else "•••"
    assert redaction.without_keys(f"a {KEYS[shape]} b {KEYS[shape]}") == f"a {kept} b {kept}"


@pytest.mark.parametrize("rule", redaction.NAMED)
@pytest.mark.parametrize(
    "piece",
    ["a", "1", "1 ", "123 ", "a@", "a.", "@a.", "eyJ", "sk-", "-----BEGIN PRIVATE KEY-----", "+1", "DE12 ", "01 "],
)
def test_patterns_end(rule: str, piece: str) -> None:
    """No text makes a named pattern run for ever: 200 kB of the worst there is are done before the test's limit."""
    assert isinstance(redaction.NAMED[rule]((piece * 200_000)[:200_000] + "!"), str)


def everywhere(ledger: PromptLedger, secret: str) -> None:
    """Put ``secret`` wherever a span can hold text."""
    with (
        pytest.raises(RuntimeError),
        ledger.trace(
            f"name {secret}",
            trace_id="t",
            session_id=secret,
            user_identifier=secret,
            metadata={"deep": [{"er": secret}]},
        ) as trace,
    ):
        trace.output = {"text": secret, secret: 1}
        with ledger.span("step", input=secret, attributes={"Authorization": "plain words", "x": secret}) as span:
            span.event(secret, more=secret)
            span.output = [secret]

        @ledger.observe
        def works(text: str) -> str:
            return text

        works(secret)
        list(ledger.span("stream").stream([secret]))
        raise RuntimeError(f"it said {secret}")


@pytest.mark.parametrize("what", CANARIES)
def test_no_canary_is_on_disk(what: str, tmp_path: Path) -> None:
    """A secret in any field of any span is nowhere in the ledger's files; keys without asking, the rest by name."""
    secret = CANARIES[what]
    wanted = {"card": ["cards"], "email": ["emails"], "phone": ["phones"], "iban": ["iban"]}.get(what, [])
    ledger = PromptLedger(str(tmp_path / "ledger.db"), redact=wanted)
    everywhere(ledger, secret)
    assert named(ledger, "t", "step").attributes["Authorization"] == "•••"
    ledger.close()
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        data = file.read_bytes()
        assert secret.encode() not in data and secret.encode().replace(b"\n", b"\\n") not in data, file


def test_numbers_are_looked_at_too(tmp_path: Path) -> None:
    """A card number that is a number and not a text is hidden as well; other numbers stay numbers."""
    with PromptLedger(str(tmp_path / "ledger.db"), redact=["cards"]) as ledger:
        with ledger.span("pays", trace_id="t", input={"card": 4111111111111111, "cents": 123456789}):
            pass
        assert named(ledger, "t", "pays").payload.input == '{"card": "[card]", "cents": 123456789}'


def test_a_key_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key without any known shape is hidden when the environment names it as one."""
    monkeypatch.setenv("SOME_API_KEY", "plainwordsnoshape")
    assert Redactor().text("llm", "input", "it is plainwordsnoshape") == "it is •••"


def test_a_hook_decides(tmp_path: Path) -> None:
    """A hook gets kind, field and text of every field, and what it returns is kept, JSON as JSON."""
    asked: list[tuple[str, str]] = []

    def hook(kind: str, field: str, text: str) -> str:
        asked.append((kind, field))
        return text.replace("Bob", "B.")

    with PromptLedger(str(tmp_path / "ledger.db"), redact=[hook]) as ledger:
        with ledger.span("s", "tool", trace_id="t", input={"who": "Bob"}, attributes={"a": ["Bob", 1], "n": 1}) as span:
            span.output = "Bob"
        one = named(ledger, "t", "s")
    assert (one.payload.input, one.payload.output, one.attributes) == ('{"who": "B."}', "B.", {"a": ["B.", 1], "n": 1})
    assert {("tool", field) for field in ("input", "output", "attributes.a", "name")} <= set(asked)


@pytest.mark.parametrize(
    ("returns", "reason"), [(b"bytes", "returned bytes"), (None, "returned NoneType"), (3, "returned int")]
)
def test_a_hook_that_returns_no_text(returns: Any, reason: str, tmp_path: Path) -> None:
    """The field is withheld and the reason stands in the attributes; the rest of the span is kept."""

    def hook(kind: str, field: str, text: str) -> Any:
        return returns if field == "input" else text

    with PromptLedger(str(tmp_path / "ledger.db"), redact=[hook]) as ledger:
        with ledger.span("s", trace_id="t", input="secret") as span:
            span.output = "fine"
        one = named(ledger, "t", "s")
    assert (one.payload.input, one.payload.output) == (None, "fine")
    assert reason in one.attributes["withheld"]["input"] and "secret" not in str(one.attributes)


def test_a_hook_that_raises() -> None:
    """Whatever a hook raises, also to end the program, withholds the field without telling its text."""

    def hook(kind: str, field: str, text: str) -> str:
        raise SystemExit(text)

    with pytest.raises(Withheld, match="raised SystemExit") as withheld:
        Redactor([hook]).text("llm", "input", "secret")
    assert "secret" not in str(withheld.value)


def test_a_hook_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that does not answer is left behind; after three times it is not asked again."""
    monkeypatch.setattr("ledger_tui.services.redaction.HOOK_PATIENCE_S", 0.05)
    forever, asked = threading.Event(), []

    def hook(kind: str, field: str, text: str) -> str:
        asked.append(text)
        forever.wait()
        return text

    redactor = Redactor([hook])
    for _ in range(3):
        with pytest.raises(Withheld, match="took longer"):
            redactor.text("llm", "input", "x")
    with pytest.raises(Withheld, match="not asked again"):
        redactor.text("llm", "input", "x")
    assert asked == ["x"] * 3
    forever.set()


def test_recording_inside_a_hook(tmp_path: Path) -> None:
    """A hook that itself records spans does not go round in circles: those spans keep no text."""
    made: list[PromptLedger] = []

    def hook(kind: str, field: str, text: str) -> str:
        if field == "input":
            with made[0].span("inside", trace_id="u", input="x"):
                pass
        return text

    with PromptLedger(str(tmp_path / "ledger.db"), redact=[hook]) as ledger:
        made.append(ledger)
        with ledger.span("s", trace_id="t", input="x"):
            pass
        assert named(ledger, "t", "s").payload.input == "x"
        assert "inside the redaction hook" in named(ledger, "u", "unnamed").attributes["withheld"]["input"]


@pytest.fixture
def with_pattern() -> Iterator[Redactor]:
    """A redactor with patterns of its own."""
    redactor = Redactor([re.compile(r"EMP-\d+"), re.compile("hush", re.IGNORECASE)])
    yield redactor
    redactor.close()


def test_own_patterns(with_pattern: Redactor) -> None:
    """Compiled patterns hide what they match, with their flags, in text and in JSON."""
    assert with_pattern.text("llm", "input", "EMP-12 says HUSH") == "[redacted] says [redacted]"
    assert with_pattern.value("llm", "input", {"a": ["EMP-1"]}) == {"a": ["[redacted]"]}


def test_a_pattern_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """(a+)+$ on fifty thousand a's is ended and the field withheld; the next field is fine."""
    monkeypatch.setattr("ledger_tui.services.redaction.PATTERN_PATIENCE_S", 0.5)
    redactor = Redactor([re.compile("(a+)+$")])
    try:
        with pytest.raises(Withheld, match="did not end"):
            redactor.text("llm", "input", "a" * 50_000 + "b")
        assert redactor.text("llm", "input", "b") == "b"
    finally:
        redactor.close()


def test_unknown_rules_are_refused() -> None:
    """A name that is none, bytes patterns and other things are refused when the ledger is made."""
    for wrong in ("passports", re.compile(b"x"), 3):
        with pytest.raises(InputError):
            Redactor([wrong])  # type: ignore[list-item]


def test_external_spans_too(tmp_path: Path) -> None:
    """What ``log_external_span`` is given goes through the same rules; what cannot be stored is refused as before."""
    ledger = PromptLedger(str(tmp_path / "ledger.db"), redact=["emails"])
    secret = CANARIES["email"]
    ledger.log_external_span(
        "t", None, "step", "tool", {"who": secret}, f"to {secret}", attributes={"a": [secret]}, error=secret,
        session_id=secret, user_identifier=secret,
    )  # fmt: skip
    with pytest.raises(InputError):
        ledger.log_external_span("t", None, "step", "tool", object())
    one = named(ledger, "t", "step")
    assert (one.payload.input, one.attributes) == ('{"who":"[email]"}', {"a": ["[email]"]})
    ledger.close()
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert secret.encode() not in file.read_bytes(), file


def test_an_external_field_that_is_withheld(tmp_path: Path) -> None:
    """A hook that fails on a field of an external span withholds it and says why."""

    def hook(kind: str, field: str, text: str) -> str:
        return text if field != "output" else str(1 / 0)

    with PromptLedger(str(tmp_path / "ledger.db"), redact=[hook]) as ledger:
        ledger.log_external_span("t", None, "step", "tool", "in", "out")
        one = named(ledger, "t", "step")
    assert (one.payload.input, one.payload.output) == ("in", None) and "ZeroDivisionError" in str(one.attributes)


def test_runs_and_renders_too(tmp_path: Path) -> None:
    """A run is sent and returned as it is, and stored redacted: variables, messages, answer, session and user."""
    ledger = PromptLedger(str(tmp_path / "ledger.db"), redact=["emails"])
    secret = CANARIES["email"]
    ledger.create_prompt("mail", "Write to {{ who }}", model="offline", params={"offline_delay_s": 0})
    given: dict[str, Any] = {"session_id": secret, "user_identifier": secret, "metadata": {"for": secret}}
    result = ledger.execute("mail", {"who": secret}, trace_id="t", **given)
    assert secret in result["output"]
    assert secret in str(ledger.render("mail", {"who": secret}, **given))
    kept = ledger.traces.execution(result["execution_id"])
    assert kept.variables == {"who": "[email]"} and "Write to [email]" in str(kept.messages)
    assert "[email]" in (kept.response or "")
    ledger.close()
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert secret.encode() not in file.read_bytes(), file


def test_no_canary_of_a_run_is_anywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """B39: with rules, a secret anywhere in a run, its answer, its error or a render is in no file and no log line."""
    wanted = ["cards", "emails", "phones", "iban"]
    ledger = PromptLedger(str(tmp_path / "ledger.db"), redact=wanted)
    ledger.prepare()
    for what, secret in CANARIES.items():
        said = {
            "variables": {"who": secret, secret: "x"},
            "params": {"stop": [secret], "user": secret},
            "metadata": {secret: secret, "deep": [{"er": secret}]},
            "environment": f"env {secret}",
            "session_id": secret,
            "user_identifier": secret,
            "span_name": f"name {secret}",
        }
        unsaved = PromptContent.of_text(
            "Write to {{ who }} and " + secret, system=secret, params={"user": secret}, tools=({"name": secret},)
        )
        answer = testing.Reply(
            secret, tool_calls=[("mail", {"to": secret})], reasoning=secret, finish_reason="stop", served_model=secret
        )
        script = testing.script(
            ledger, [answer, testing.failure("auth", f"it said {secret}"), testing.Reply(secret, error="timeout")]
        )
        for name in (None, f"ad hoc {secret}", None):
            request = RunRequest(
                unsaved, "openai/gpt-4o-mini", prompt_name=name, trace_id=what, retry_waits_s=(), **said
            )
            wait_for(ledger.runs.run(request))
        assert all(
            secret in call.text and call.params["user"] == call.tools[0]["name"] == secret for call in script.calls
        )
        ledger.create_prompt("mail", "Write to {{ who }}", model="offline")
        ledger.render("mail", {"who": secret}, session_id=secret, user_identifier=secret, metadata={"for": secret})
        with pytest.raises(ValueError), ledger.trace(f"name {secret}", trace_id=what, session_id=secret) as trace:
            ledger.log_external_span(name=secret, input_data=secret, error=secret, attributes={secret: secret})
            trace.event(secret)
            raise ValueError(secret)
    assert ledger.flush()
    execution = next(row.execution_id for row in ledger.traces.tree("email").rows() if row.execution_id)
    kept = ledger.traces.execution(execution)
    assert kept.variables == {"who": "[email]", "[email]": "x"} and "[email]" in str(kept.messages)
    ledger.close()
    for what, secret in CANARIES.items():
        forms = {secret, secret.replace("\n", "\\n"), secret.replace("\n", "\\\\n")}
        assert not [form for form in forms if form in caplog.text], what
        for file in (path for path in tmp_path.rglob("*") if path.is_file()):
            assert not [form for form in forms if form.encode() in file.read_bytes()], (what, file)
