"""Full-text search with the same answers on both databases.

Texts are cut into words here, once for indexing and once for asking, and each database only stores and finds those
words: SQLite in FTS5 tables, Postgres in ``tsvector`` columns. What a person types is never query syntax.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.text import one_line
from ledger_tui.errors import ContentRefused

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

MAX_TEXT = 200_000
"""Characters of one text that search knows; what follows is not found."""
MAX_WORD = 200
_BATCH = 100
_GAP = "\u00b6"
_MAX_POSITION, _MAX_POSITIONS, _MAX_VECTOR_BYTES = 16_383, 255, 900_000
# A character of a script that writes no spaces is a word of its own, so that parts of a sentence are found.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_ASKED = re.compile(r'"([^"]*)"?|([^\s"]+)')
_PENDING = f"""
SELECT p.span_key, s.name, substr(p.error, 1, {MAX_TEXT}), substr(p.input, 1, {MAX_TEXT}),
       substr(p.output, 1, {MAX_TEXT})
FROM span_payloads p JOIN spans s ON s.id = p.span_key
WHERE NOT p.indexed AND s.status <> 'running' ORDER BY p.span_key LIMIT :limit
"""
_PROMPT = """
SELECT s.prompt_id, s.name, s.description, v.content, s.active_number FROM prompt_states s
LEFT JOIN prompt_versions v ON v.id = s.active_version_id
"""


class Term(NamedTuple):
    """Words that must stand next to each other; ``prefix`` lets the last one go on."""

    words: tuple[str, ...]
    prefix: bool


def words(text: str) -> list[str]:
    """The words of ``text``: letters and digits, without case and accents."""
    folded = text.casefold()
    if not folded.isascii():
        folded = "".join(char for char in unicodedata.normalize("NFKD", folded) if unicodedata.category(char) != "Mn")
    return [word[:MAX_WORD] for word in _WORD.findall(folded)]


def terms(text: str) -> list[Term]:
    """What a person asked: quoted text is a phrase, the last unquoted word may be the beginning of one."""
    found: list[Term] = []
    for match in _ASKED.finditer(text):
        quoted = match[2] is None
        if cut := words(match[1] if quoted else match[2]):
            found.append(Term(tuple(cut), prefix=not quoted and not text[match.end() :].strip()))
    return found


def index_pending(lean: Lean, limit: int) -> int:
    """Index up to ``limit`` ended spans that search does not know yet; the count done. Needs ``lean_write``."""
    done = 0
    while done < limit:
        rows = lean.fetch(_PENDING, {"limit": min(_BATCH, limit - done)})
        if rows:
            _index(lean, [(row[0], _cut(row[1:])) for row in rows])
        done += len(rows)
        if len(rows) < _BATCH:
            break
    return done


def has_pending(lean: Lean) -> bool:
    """Whether a span has ended that search does not know yet."""
    return lean.one(_PENDING, {"limit": 1}) is not None


def _index(lean: Lean, texts: Sequence[tuple[int, list[list[str]]]]) -> None:
    keys = [{"key": key} for key, _ in texts]
    if lean.dialect == "sqlite":
        lean.executemany("DELETE FROM spans_fts WHERE rowid = :key", keys)
        insert = "INSERT INTO spans_fts (rowid, body) VALUES (:key, :body)"
    else:
        insert = (
            "INSERT INTO spans_fts (span_key, body) VALUES (:key, CAST(:body AS tsvector))"
            " ON CONFLICT (span_key) DO UPDATE SET body = excluded.body"
        )
    lean.executemany(insert, [{"key": key, "body": _body(lean.dialect, parts)} for key, parts in texts])
    lean.executemany(
        "UPDATE span_payloads SET indexed = :yes WHERE span_key = :key", [{**k, "yes": True} for k in keys]
    )


def forget_spans(lean: Lean, keys: Iterable[int]) -> None:
    """Take spans out of the index."""
    column = "rowid" if lean.dialect == "sqlite" else "span_key"
    lean.executemany(f"DELETE FROM spans_fts WHERE {column} = :key", [{"key": key} for key in keys])


def merge_step(lean: Lean, pages: int) -> bool:
    """Do a part of bringing the index into one piece, in which no word of a forgotten span is left; whether more is to do.

    pages: about how many pages a step writes; negative for the first step. SQLite's FTS5 ('merge' command); a Postgres has
    nothing to do.
    """
    if lean.dialect != "sqlite":
        return False
    count = "SELECT total_changes()"
    before = lean.one(count)
    lean.execute("INSERT INTO spans_fts (spans_fts, rank) VALUES ('merge', :pages)", {"pages": pages})
    # As its documentation says: a merge that had nothing to do counts as one change.
    after = lean.one(count)
    return int((after or (0,))[0]) - int((before or (0,))[0]) >= 2


def search_spans(lean: Lean, text: str, limit: int) -> list[int]:
    """Keys of indexed spans whose name, input, output and error hold all that ``text`` asks; newest first."""
    parameters: dict[str, Any] = {"limit": limit}

    def name(value: Any) -> str:
        parameters[f"p{len(parameters)}"] = value
        return f":p{len(parameters) - 1}"

    inside = _span_keys(lean, text, terms(text), name)
    if inside is None:
        return []
    sql = f"SELECT span_key FROM ({inside}) AS found ORDER BY span_key DESC LIMIT :limit"
    return [row[0] for row in lean.fetch(sql, parameters)]


def traces_holding(lean: Lean, text: str, name: Callable[[Any], str]) -> str:
    """SQL that selects the keys of traces with a span that holds ``text`` as one phrase (its last word may go on).

    name: keeps a value as a parameter and returns its ``:name``.
    """
    cut = tuple(words(text))
    inside = _span_keys(lean, text, [Term(cut, prefix=True)] if cut else [], name)
    if inside is None:
        return "SELECT id FROM traces WHERE 1 = 0"
    # As of an earlier moment, ``spans`` shows a span that ended after it as running: its texts were not known yet.
    return f"SELECT s.trace_key FROM spans s WHERE s.id IN ({inside}) AND s.status <> 'running'"


def _span_keys(lean: Lean, text: str, asked: list[Term], name: Callable[[Any], str]) -> str | None:
    """SQL that selects ``span_key``; None when ``text`` asks nothing."""
    if asked:
        match = name(_match(lean.dialect, asked))
        if lean.dialect == "sqlite":
            return f"SELECT rowid AS span_key FROM spans_fts WHERE spans_fts MATCH {match}"
        return f"SELECT span_key FROM spans_fts WHERE body @@ CAST({match} AS tsquery)"
    pattern = _pattern(text)
    if pattern is None:
        return None
    like = f"{_like(lean)} {name(pattern)} ESCAPE '\\'"
    columns = " OR ".join(f"{column} {like}" for column in ("s.name", "p.input", "p.output", "p.error"))
    return f"SELECT p.span_key FROM span_payloads p JOIN spans s ON s.id = p.span_key WHERE p.indexed AND ({columns})"


def refresh_prompt(lean: Lean, prompt_id: str) -> None:
    """Index a prompt's name, description and active text as the transaction sees them."""
    row = lean.one(_PROMPT + "WHERE s.prompt_id = :id", {"id": prompt_id})
    parameters: dict[str, Any] = {"id": prompt_id, "key": _row_key(prompt_id)}
    where = "rowid = :key" if lean.dialect == "sqlite" else "prompt_id = :id"
    lean.execute(f"DELETE FROM prompts_fts WHERE {where}", parameters)
    if row is None:
        return
    parameters["body"] = _body(lean.dialect, _cut((row[1], row[2], _prompt_text(row[3]))))
    if lean.dialect == "sqlite":
        lean.execute("INSERT INTO prompts_fts (rowid, prompt_id, body) VALUES (:key, :id, :body)", parameters)
    else:
        lean.execute("INSERT INTO prompts_fts (prompt_id, body) VALUES (:id, CAST(:body AS tsvector))", parameters)


def search_prompts(lean: Lean, text: str, limit: int) -> list[tuple[str, int, str]]:
    """Prompts (not archived) that hold all that ``text`` asks, by name: name, active number, line around the match."""
    asked = terms(text)
    parameters: dict[str, Any] = {"limit": limit}
    if asked:
        match = "prompts_fts MATCH :match" if lean.dialect == "sqlite" else "body @@ CAST(:match AS tsquery)"
        condition = f"s.prompt_id IN (SELECT prompt_id FROM prompts_fts WHERE {match})"
        parameters["match"] = _match(lean.dialect, asked)
    else:
        pattern = _pattern(text)
        if pattern is None:
            return []
        like = f"{_like(lean)} :pattern ESCAPE '\\'"
        condition = f"(s.name {like} OR s.description {like} OR v.content {like})"
        parameters["pattern"] = pattern
    rows = lean.fetch(f"{_PROMPT} WHERE NOT s.archived AND {condition} ORDER BY s.name LIMIT :limit", parameters)
    needles = [word for term in asked for word in term.words] or [text.strip().strip('"').casefold()]
    return [(row[1], row[4], _snippet((_prompt_text(row[3]), row[2]), needles)) for row in rows]


def scan_prompts(lean: Lean, text: str, limit: int) -> list[tuple[str, int, str]]:
    """``search_prompts`` without the index, which knows the present only: reads every prompt that ``lean`` shows."""
    asked = terms(text)
    bare = text.strip().strip('"').casefold()
    if not asked and not bare:
        return []
    found: list[tuple[str, int, str]] = []
    needles = [word for term in asked for word in term.words] or [bare]
    for _, name, description, content, number in lean.fetch(f"{_PROMPT} WHERE NOT s.archived ORDER BY s.name"):
        texts = (name, description, _prompt_text(content))
        if asked:
            parts = _cut(texts)
            fits = all(any(_stands(term, part) for part in parts) for term in asked)
        else:
            fits = any(bare in (one or "").casefold() for one in (name, description, content))
        if fits:
            found.append((name, number, _snippet((texts[2], description), needles)))
            if len(found) == limit:
                break
    return found


def _stands(term: Term, part: list[str]) -> bool:
    """Whether the words of a term stand next to each other in a text."""
    *first, last = term.words
    for at in range(len(part) - len(first)):
        word = part[at + len(first)]
        if (word == last or (term.prefix and word.startswith(last))) and part[at : at + len(first)] == first:
            return True
    return False


def _prompt_text(content: str | None) -> str:
    if not content:
        return ""
    try:
        return "\n".join(PromptContent.from_json(content).templates)
    except ContentRefused:
        return content


def _cut(texts: Iterable[str | None]) -> list[list[str]]:
    return [words(text[:MAX_TEXT]) for text in texts if text]


def _body(dialect: str, parts: list[list[str]]) -> str:
    """The words as the database takes them; a gap between parts keeps phrases from reaching across."""
    if dialect == "sqlite":
        return f" {_GAP} ".join(" ".join(part) for part in parts)
    positions: dict[str, list[int]] = {}
    position = size = 0
    for part in parts:
        for word in part:
            position = min(position + 1, _MAX_POSITION)
            known = positions.get(word)
            size += 2 if known is not None else len(word.encode()) + 8
            if size > _MAX_VECTOR_BYTES:
                break
            if known is None:
                positions[word] = [position]
            elif len(known) < _MAX_POSITIONS and known[-1] != position:
                known.append(position)
        position = min(position + 1, _MAX_POSITION)
    return " ".join(f"'{word}':{','.join(map(str, found))}" for word, found in positions.items())


def _match(dialect: str, asked: list[Term]) -> str:
    """The query in the database's own syntax; words are letters and digits, so nothing in them means anything."""
    if dialect == "sqlite":
        return " AND ".join(f'"{" ".join(term.words)}"' + (" *" if term.prefix else "") for term in asked)
    return " & ".join(
        "(" + " <-> ".join(f"'{word}'" for word in term.words) + (":*" if term.prefix else "") + ")" for term in asked
    )


def _pattern(text: str) -> str | None:
    bare = text.strip().strip('"')
    if not bare:
        return None
    return "%" + bare.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _like(lean: Lean) -> str:
    return "LIKE" if lean.dialect == "sqlite" else "ILIKE"


def _row_key(prompt_id: str) -> int:
    """A row number made from the prompt's id: 63 bits of its UUID."""
    return uuid.UUID(prompt_id).int >> 65


def _snippet(texts: Iterable[str], needles: list[str]) -> str:
    """One line around the first needle in the first text that holds one, else the first text's beginning."""
    kept = [text for text in texts if text]
    for text in kept:
        low = text.casefold()
        places = [place for place in (low.find(needle) for needle in needles) if place >= 0]
        if places:
            start = max(0, min(places) - 40)
            return ("…" if start else "") + one_line(text[start:], 120)
    return one_line(kept[0], 120) if kept else ""
