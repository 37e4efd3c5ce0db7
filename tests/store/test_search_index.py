"""Search gives the same answers on both databases, whatever is typed."""

from __future__ import annotations

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.tables import Prompt, PromptState, PromptVersion, Span, SpanPayload, Trace
from ledger_tui.store import search_index
from ledger_tui.store.database import Database
from ledger_tui.store.session_lean import lean_of
from sqlmodel import Session

TEXTS = [
    ("plan", "Summarise the quarterly report", "Revenue grew in the north", None),
    ("fetch", "the report of the quarter", "report-quarterly.pdf, naïve Café", None),
    ("guard", "100% sure {{ value }}", "percent_done", "ConnectionError: refused by peer"),
    ("translate", "数据库 连接 失败", "straße ДОМ", None),
    ("symbols", "→ ⇒ %", "under_score", None),
]


def _fill(database: Database, count: int | None = None) -> None:
    with database.session() as session:
        session.add(Trace(id=1, trace_id="t", started_us=1, ended_us=2))
        session.flush()
        for key, (name, given, answer, error) in enumerate(TEXTS[:count], 1):
            session.add(
                Span(id=key, rid=str(key), trace_key=1, span_id=str(key), name=name, status="succeeded", started_us=1)
            )
            session.flush()
            session.add(SpanPayload(span_key=key, input=given, output=answer, error=error))
        session.add(Span(id=99, rid="99", trace_key=1, span_id="99", name="open", started_us=1))
        session.flush()
        session.add(SpanPayload(span_key=99, input="report still running"))


QUESTIONS = [
    ("report", [2, 1]),
    ("REPORT quart", [2, 1]),
    ('"quarterly report"', [1]),
    ('"report quarterly"', [2]),
    ("report-quarterly", [2]),
    ("naive cafe", [2]),
    ("refus", [3]),
    ("connectionerror:", [3]),
    ("数据", [4]),
    ("据库", [4]),
    ('"连接 失败"', [4]),
    ("STRASSE дом", [4]),
    ('"peer 100"', []),
    ('"report revenue"', []),
    ("%", [5, 3]),
    ("⇒", [5]),
    ("_", [5, 3]),
    ('""', []),
    ("   ", []),
    ("missing", []),
]


@pytest.mark.parametrize(("text", "keys"), QUESTIONS)
def test_questions(text: str, keys: list[int], database: Database) -> None:
    """Words, phrases, beginnings of words, scripts without spaces and mere symbols find what holds them."""
    _fill(database)
    with database.lean_write() as lean:
        assert search_index.index_pending(lean, 100) == len(TEXTS)
    with database.lean() as lean:
        assert search_index.search_spans(lean, text, 10) == keys


def test_both_databases_answer_alike(any_database: Database) -> None:
    """Both databases answer every question alike, also through the trace filter's sub-select."""
    _fill(any_database)
    with any_database.lean_write() as lean:
        search_index.index_pending(lean, 100)
    with any_database.lean() as lean:
        for text, keys in QUESTIONS:
            assert search_index.search_spans(lean, text, 10) == keys, text
        parameters: dict[str, str] = {}

        def name(value: str) -> str:
            parameters["x"] = value
            return ":x"

        sql = search_index.traces_holding(lean, "quarterly rep", name)
        assert lean.fetch(sql, parameters) == [(1,)]


HOSTILE = [
    '"',
    "'",
    "a OR b",
    "NEAR(a b)",
    "body: x",
    "a*",
    "^a",
    "a & !b",
    "(",
    "-report",
    "a:*",
    "\\",
    "'; DROP TABLE spans; --",
    "{a b}",
]


def test_typed_text_is_never_syntax(any_database: Database) -> None:
    """Operators of either database in the text are plain words or nothing, never an error."""
    _fill(any_database)
    with any_database.lean_write() as lean:
        search_index.index_pending(lean, 100)
    with any_database.lean() as lean:
        for text in HOSTILE:
            search_index.search_spans(lean, text, 10)
            search_index.search_prompts(lean, text, 10)
        assert search_index.search_spans(lean, "-report", 10) == [2, 1]


def test_indexing_goes_on_where_it_stopped(any_database: Database) -> None:
    """A limit is kept, nothing is indexed twice, and an open span waits for its end, which need not say how long it took."""
    _fill(any_database)
    with any_database.lean_write() as lean:
        assert search_index.index_pending(lean, 2) == 2
    with any_database.lean_write() as lean:
        assert search_index.index_pending(lean, 100) == len(TEXTS) - 2
        assert search_index.index_pending(lean, 100) == 0
        lean.execute("UPDATE spans SET status = 'failed' WHERE id = 99")
        assert search_index.index_pending(lean, 100) == 1
        assert search_index.search_spans(lean, "running", 10) == [99]
        search_index.forget_spans(lean, [99])
        assert search_index.search_spans(lean, "running", 10) == []


def test_changed_span_is_found_by_its_new_text_only(any_database: Database) -> None:
    """Indexing a span again replaces what search knew of it."""
    _fill(any_database, 1)
    with any_database.lean_write() as lean:
        search_index.index_pending(lean, 100)
        lean.execute("UPDATE span_payloads SET output = 'zebra', indexed = :no WHERE span_key = 1", {"no": False})
        search_index.index_pending(lean, 100)
        assert search_index.search_spans(lean, "zebra", 10) == [1]
        assert search_index.search_spans(lean, "revenue", 10) == []


def test_huge_text_is_indexed_up_to_the_limit(any_database: Database) -> None:
    """Texts of many different words index without an error; the beginning is found, the part past the limit is not."""
    import itertools

    many = " ".join(
        "".join(letters) for letters in itertools.islice(itertools.product("абвгдежзиклмнопрст", repeat=4), 60_000)
    )
    _fill(any_database, 1)
    with any_database.lean_write() as lean:
        lean.execute(
            "UPDATE span_payloads SET input = :text, output = :text2 WHERE span_key = 1",
            {"text": "firstword " + many + " lastword", "text2": many},
        )
        search_index.index_pending(lean, 100)
        assert search_index.search_spans(lean, "firstword", 10) == [1]
        assert search_index.search_spans(lean, "lastword", 10) == []


def _prompt(session: Session, name: str, text: str, description: str = "") -> str:
    content = PromptContent.of_text(text)
    prompt_id = ids.prompt_id(name)
    version_id = ids.version_id(prompt_id, content.sha256)
    session.add(Prompt(id=prompt_id, name=name, folded_name=name.lower(), created_us=1))
    session.flush()
    session.add(
        PromptVersion(
            id=version_id, prompt_id=prompt_id, sha256=content.sha256, content=content.canonical, created_us=1
        )
    )
    session.flush()
    session.add(
        PromptState(
            prompt_id=prompt_id,
            name=name,
            description=description,
            active_version_id=version_id,
            active_number=3,
            updated_us=1,
        )
    )
    search_index.refresh_prompt(lean_of(session), prompt_id)
    return prompt_id


def test_prompts_are_found_by_name_description_and_text(any_database: Database) -> None:
    """Each of the three finds the prompt, with a line around the match; an archived prompt is not found."""
    with any_database.session() as session:
        _prompt(session, "support/reply-mail", "Line one\nAnswer {{ question }} kindly", "For the help desk")
        gone = _prompt(session, "old/one", "Answer rudely")
        state = session.get(PromptState, gone)
        assert state is not None
        state.archived = True
    with any_database.lean() as lean:
        for text in ("reply", "help desk", "kindl", '"answer question"', "{{"):
            hits = search_index.search_prompts(lean, text, 10)
            assert [(name, number) for name, number, _ in hits] == [("support/reply-mail", 3)], text
        assert "Answer {{ question }} kindly" in search_index.search_prompts(lean, "kindly", 10)[0][2]


def test_refreshed_prompt_forgets_its_old_text(any_database: Database) -> None:
    """After a change, the old words find nothing."""
    with any_database.session() as session:
        prompt_id = _prompt(session, "a", "hello", "elephant")
    with any_database.session() as session:
        state = session.get(PromptState, prompt_id)
        assert state is not None
        state.description = "giraffe"
        search_index.refresh_prompt(lean_of(session), prompt_id)
    with any_database.lean() as lean:
        assert search_index.search_prompts(lean, "elephant", 10) == []
        assert [hit[0] for hit in search_index.search_prompts(lean, "giraffe", 10)] == ["a"]
