"""A template of a stranger ends within its limits, and the workstation goes on as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ledger_tui.domain.calls import ChatMessage
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.errors import (
    ContentRefused,
    TemplateError,
    TemplateRefused,
    TemplateTooExpensive,
    UndefinedVariable,
)
from ledger_tui.services.templates import TemplateService

GREETING = PromptContent.of_text("Hello {{ name }}")
CPU_BOMBS = [
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% macro fib(n) %}{% if n < 2 %}1{% else %}{{ fib(n-1) }}{{ fib(n-2) }}{% endif %}{% endmacro %}{{ fib(45) }}",
    "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x|replace('a', 'aa') %}{% endfor %}",
]
QUICK_BOMBS = [
    "{% for i in range(10**9) %}x{% endfor %}",
    "{{ 'A' * 10**9 }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ 'a'.ljust(10**9) }}",
    "{{ 'a'.center(10**9) }}",
    "{{ '1'.zfill(10**9) }}",
    "{{ 'a'|indent(10**9, true) }}",
    "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
    "{{ [1]|batch(10**9, 'x')|list }}",
    "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(1) }}",
    "{{ lipsum(n=10**5) }}",
    "x" * 5_000_000,
    "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
    "{% for i in range(99999) %}{{ 'a' * 100 }}{% endfor %}",
]


@pytest.fixture(scope="module")
def service() -> Iterator[TemplateService]:
    made = TemplateService()
    yield made
    made.close()


def greets(service: TemplateService) -> bool:
    return service.render(GREETING, {"name": "Anna"}) == (ChatMessage("user", "Hello Anna"),)


def helpers(service: TemplateService) -> list[subprocess.Popen[bytes]]:
    return [helper._process for helper in (service._analysing, service._rendering) if helper._process is not None]


def test_messages_are_rendered_in_order(service: TemplateService) -> None:
    """Each message keeps its role; every kind of JSON value arrives as it is."""
    content = PromptContent(
        (Message("system", "You are {{ who }}."), Message("user", "{{ items|join(', ') }} {{ m.k }}\n"))
    )
    assert service.render(content, {"who": "kind", "items": (1, 2.5, None), "m": {"k": "é😀"}}) == (
        ChatMessage("system", "You are kind."),
        ChatMessage("user", "1, 2.5, None é😀\n"),
    )


def test_values_are_never_rendered_again(service: TemplateService) -> None:
    """Braces inside a value reach the model as they are (B25)."""
    rendered = service.render(PromptContent.of_text("{{ v }}"), {"v": "{{ secret }} {% for %}", "secret": 1})
    assert rendered[0].text == "{{ secret }} {% for %}"


@pytest.mark.parametrize("bomb", CPU_BOMBS + QUICK_BOMBS, ids=lambda bomb: bomb[:40])
def test_a_bomb_ends_with_its_helper_only(service: TemplateService, bomb: str) -> None:
    """Each bomb is ended by a limit with readable words, and the next render works (B23)."""
    with pytest.raises((TemplateTooExpensive, TemplateRefused, UndefinedVariable)) as ended:
        service.render(PromptContent((Message("system", "fine"), Message("user", bomb))), {})
    assert ended.value.message_number == 2
    assert "message 2" in ended.value.cause and len(str(ended.value)) < 300
    assert greets(service)


def test_the_time_on_the_wall_is_limited_too(service: TemplateService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that hangs without using the processor is ended as well."""
    assert greets(service)
    monkeypatch.setattr("ledger_tui.services.render_helper.WALL_S", 0.1)
    process = service._rendering._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(TemplateTooExpensive, match=r"longer than 0\.1 s"):
        greets(service)
    monkeypatch.undo()
    assert greets(service)


@pytest.mark.parametrize(
    "escape",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''|attr('__class__') }}",
        "{{ '{0.__class__}'.format_map({}) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{{ self.__init__ }}",
    ],
)
def test_escapes_are_refused_by_name(service: TemplateService, escape: str) -> None:
    """What the sandbox forbids arrives as TemplateRefused with its line (B24)."""
    with pytest.raises(TemplateRefused) as refused:
        service.render(PromptContent.of_text("one\n" + escape), {})
    assert refused.value.line == 2


def test_a_missing_variable_has_message_line_and_column(service: TemplateService) -> None:
    """The error tells where to look (B25)."""
    content = PromptContent((Message("system", "{{ a }}"), Message("user", "x\n  {{ b }}")))
    with pytest.raises(UndefinedVariable, match="message 2, line 2, column 6: 'b' has no value") as missing:
        service.render(content, {"a": 1})
    assert (missing.value.message_number, missing.value.line, missing.value.column) == (2, 2, 6)
    assert missing.value.remedy


def test_a_syntax_error_has_its_place(service: TemplateService) -> None:
    """Rendering what does not parse is a TemplateError with line and column (B25)."""
    with pytest.raises(TemplateError) as refused:
        service.render(PromptContent.of_text("x\n{{ a ? }}"), {"a": 1})
    assert (refused.value.line, refused.value.column) == (2, 6)


def test_variables_are_checked_before_anything_is_sent(service: TemplateService) -> None:
    """Objects and NULs are refused here, not by a provider (B1)."""
    with pytest.raises(TemplateRefused, match="name"):
        service.render(GREETING, {"name": object()})
    with pytest.raises(ContentRefused, match="position 1"):
        service.render(GREETING, {"name": "a\0"})


def test_output_is_capped_over_all_messages(service: TemplateService) -> None:
    """Three messages of 2 MB are more than 4 MB together."""
    content = PromptContent(tuple(Message("user", "{{ x }}") for _ in range(3)))
    with pytest.raises(TemplateTooExpensive, match="message 3") as ended:
        service.render(content, {"x": "é" * 1_000_000})
    assert "4 MB" in ended.value.cause
    assert len(service.render(PromptContent.of_text("{{ x }}"), {"x": "y" * 4_000_000})[0].text) == 4_000_000


def test_analysis_tells_variables_and_problems(service: TemplateService) -> None:
    """Each template has its own analysis, and the second time the same one."""
    good, bad, large = service.analyse(["{{ a }} {{ b }} {{ a }}", "{{ a|uper }}", "x" * 1_000_000])
    assert [(use.name, use.column) for use in good.variables] == [("a", 4), ("b", 12), ("a", 20)]
    assert good.names == ("a", "b") and not good.problems
    assert "did you mean 'upper'" in bad.problems[0].message
    assert "too large" in large.problems[0].message
    assert service.analyse(["{{ a }} {{ b }} {{ a }}"])[0] is good


def test_a_preview_does_not_wait_for_a_bomb(service: TemplateService) -> None:
    """While one thread renders something endless, the editor's analysis answers."""
    answered = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        bomb = pool.submit(service.render, PromptContent.of_text(CPU_BOMBS[0]), {})
        assert service.analyse(["{{ quick }}"])[0].names == ("quick",)
        if not bomb.done():
            answered.set()
        with pytest.raises(TemplateTooExpensive):
            bomb.result()
    assert answered.is_set()


def test_many_threads_share_it(service: TemplateService) -> None:
    """Eight threads get their own answers, each the right one."""

    def render(number: int) -> str:
        return service.render(GREETING, {"name": number})[0].text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(render, range(200))) == [f"Hello {number}" for number in range(200)]


def test_a_killed_helper_is_replaced(service: TemplateService) -> None:
    """Whoever kills the helper, the next render and the next analysis work."""
    assert greets(service)
    service.analyse(["{{ first }}"])
    for process in helpers(service):
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert greets(service)
    assert service.analyse(["{{ another }}"])[0].names == ("another",)


def test_closing_ends_the_helpers() -> None:
    """After close no process is left, and a render says so instead of starting one."""
    service = TemplateService()
    assert greets(service) and service.analyse(["{{ closing }}"])
    processes = helpers(service)
    assert len(processes) == 2
    service.close()
    service.close()
    assert all(process.poll() is not None for process in processes)
    with pytest.raises(TemplateError, match="closed"):
        greets(service)


def test_closing_does_not_wait_for_a_bomb() -> None:
    """A workstation that is being closed ends a render in the middle."""
    service = TemplateService()
    assert greets(service)
    with ThreadPoolExecutor(1) as pool:
        bomb = pool.submit(service.render, PromptContent.of_text(CPU_BOMBS[0]), {})
        while not service._rendering._lock.locked():
            pass
        service.close()
        with pytest.raises(TemplateError, match="closed"):
            bomb.result()


PROGRAM = """
import os, sys
from ledger_tui.domain.content import PromptContent
from ledger_tui.services.templates import TemplateService
service = TemplateService()
content = PromptContent.of_text("Hello {{ name }}")
print(service.render(content, {"name": "parent"})[0].text, service._rendering._process.pid, flush=True)
"""
FORK = """
child = os.fork()
if child == 0:
    print(service.render(content, {"name": "child"})[0].text, service._rendering._process.pid, flush=True)
    sys.exit(0)
os.waitpid(child, 0)
print(service.render(content, {"name": "parent again"})[0].text, service._rendering._process.pid, flush=True)
"""


def run(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_it_survives_a_fork() -> None:
    """A forked process uses a helper of its own and leaves the parent's alone (B31)."""
    lines = run(PROGRAM + FORK)
    first, child, again = (line.rsplit(" ", 1) for line in lines)
    assert [first[0], child[0], again[0]] == ["Hello parent", "Hello child", "Hello parent again"]
    assert first[1] == again[1] != child[1]


def test_no_helper_outlives_the_program() -> None:
    """A program that ends without close leaves no process behind, also when it is killed (B31)."""
    pids = []
    for ending in ("", "os.kill(os.getpid(), 9)"):
        done = subprocess.run([sys.executable, "-c", PROGRAM + ending], capture_output=True, text=True, timeout=60)
        pids.append(int(done.stdout.rsplit(" ", 1)[1]))
    for pid in pids:
        while not gone(pid):
            pass


def test_the_helper_sees_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of the environment are not handed to the process that runs strangers' templates."""
    from ledger_tui.services.render_helper import _environment

    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    assert "sk-canary" not in str(_environment())
