"""Foreign text drawn by lines: streaming answers, laid out Markdown, folding JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest
from ledger_tui.domain.text import printable
from ledger_tui.ui.widgets.answer_stream import AnswerStream
from ledger_tui.ui.widgets.json_lines import json_lines, json_rows
from ledger_tui.ui.widgets.lines import Run, line_text, line_width, row_ends, wrap_text
from ledger_tui.ui.widgets.markdown_lines import MAX_MARKDOWN, rendered_lines
from ledger_tui.ui.widgets.stream_text import GrowingRows, StreamText
from ledger_tui.ui.widgets.text_pane import MAX_SHOWN, TextPane, kind_of, lay_out
from rich.cells import cell_len
from textual.app import App, ComposeResult

from tests.ui.conftest import settle, until

HOSTILE = "a\x1b]0;x\x07b\x9b31m\u202ec \u200d👩\u200d👧\ufe0f e" + "\u0301" * 30
HOSTILE += "\r\nnext\ttab 漢字 [/] [@click=app.quit]x[/]\x00"


def pieces(text: str, seed: int) -> Iterator[str]:
    """The text cut at random places, surrogate pairs too."""
    chance = random.Random(seed)
    units = "".join(char if ord(char) < 0x10000 else "".join(map(chr, _pair(ord(char)))) for char in text)
    while units:
        size = chance.randint(1, 5)
        yield units[:size]
        units = units[size:]


def _pair(point: int) -> tuple[int, int]:
    point -= 0x10000
    return 0xD800 + (point >> 10), 0xDC00 + (point & 0x3FF)


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_cut_anywhere_shows_the_same_characters(seed: int) -> None:
    """However a text is cut into pieces, the printable characters are those of the whole."""
    stream = StreamText()
    shown = "".join(stream.feed(piece) for piece in pieces(HOSTILE * 3, seed)) + stream.end()
    assert shown == printable((HOSTILE * 3).replace("\r\n", "\n"))


@pytest.mark.parametrize("width", [1, 2, 7, 20, 80])
def test_a_growing_text_has_the_rows_of_the_whole(width: int) -> None:
    """Wrapping piece by piece gives the rows that wrapping the whole gives."""
    text = printable(
        "words and a verylongwordthatneverends " * 5 + "漢字 mixed 👩\u200d👧 text\n\n    indented line of code\n" * 3
    )
    for seed in range(10):
        growing, rows = GrowingRows(width), []
        for piece in pieces(text, seed):
            if any("\ud800" <= char <= "\udfff" for char in piece):
                continue
            rows[max(0, len(rows) - 1) :] = growing.add(piece)
        fed = "".join(p for p in pieces(text, seed) if not any("\ud800" <= char <= "\udfff" for char in p))
        assert [line_text(row).rstrip() for row in rows] == [line_text(row).rstrip() for row in wrap_text(fed, width)]


@pytest.mark.parametrize("width", [2, 9, 40])
def test_no_row_is_wider_than_the_pane(width: int) -> None:
    """Every row fits, and no character is lost but the spaces at a break."""
    text = "Some words, a " + "x" * 70 + " and 漢字漢字漢字漢字 wide ones; e\u0301 too."
    start, rows = 0, []
    for end in row_ends(text, width):
        rows.append(text[start:end])
        start = end
    assert "".join(rows) == text
    assert all(cell_len(row.rstrip(" ")) <= width for row in rows)


MARKDOWN = """# Title

Some **bold** and *soft* `code`, [a link](https://example.org/a?b=c) and <https://example.org>.

- first item which is long enough to wrap in a narrow pane
  1. nested
- second

> quoted

```python
print("hi")
```

| name | count |
|------|------:|
| abc  | 12    |

![picture](https://example.org/p.png) <b>html</b> &#27;]0;title&#7; &#x202e;
"""


@pytest.mark.parametrize("width", [20, 40, 100])
def test_markdown_is_laid_out_within_the_width(width: int) -> None:
    """Headings, lists, quotes, code and tables come out as rows that fit."""
    rows = rendered_lines(MARKDOWN, width)
    assert rows is not None
    assert max(map(line_width, rows)) <= width
    text = "\n".join(map(line_text, rows))
    for mark in ("━━━", "• first", "1. nested", "▎ quoted", '│ print("hi")', "┼"):
        assert mark in text


def test_markdown_shows_addresses_and_obeys_nothing() -> None:
    """A link shows where it leads, an image and HTML stay text, an escape made of entities is visible."""
    rows = rendered_lines(MARKDOWN, 200)
    assert rows is not None
    text = "\n".join(map(line_text, rows))
    assert "a link (https://example.org/a?b=c)" in text
    assert text.count("https://example.org.") == 1
    assert "[image: picture] (https://example.org/p.png) <b>html</b>" in text
    assert "\x1b" not in text and "\u202e" not in text and "\\u{202e}" in text
    assert text == printable(text)


def test_large_markdown_stays_source_and_says_so() -> None:
    """Past the cap the source is shown under a row that tells why."""
    layout = lay_out("# big\n" * (MAX_MARKDOWN // 6 + 1), "markdown", 40)
    assert layout.kind == "plain"
    assert "Larger than 200 kB" in line_text(layout.rows[0])
    assert line_text(layout.rows[2]) == "# big"


def test_a_huge_text_is_cut_and_says_so() -> None:
    """Past four million characters the rest is counted, not laid out."""
    layout = lay_out("x" * (MAX_SHOWN + 5), "plain", 100)
    assert line_text(layout.rows[-1]) == "… 5 more characters are not shown"


def test_json_keeps_what_was_written() -> None:
    """Numbers keep their digits, doubled keys stay, strings of several lines are their text."""
    document = json_lines('{"n": 1E400, "n": 12345678901234567890123, "t": "one\\ntwo\\u001b[2J", "e": [], "x": null}')
    assert document is not None
    rows, owners = json_rows(document, set(), 80)
    text = "\n".join(map(line_text, rows))
    assert '"n": 1E400,' in text and '"n": 12345678901234567890123,' in text
    assert "│ one" in text and "│ two␛[2J" in text and '"e": [],' in text and '"x": null' in text
    assert len(owners) == len(rows)


def test_folding_hides_a_node_and_tells_its_size() -> None:
    """A folded node is one row with the number of its members; the rest stays."""
    document = json_lines('{"a": {"b": 1, "c": [1, 2, 3]}, "d": 4}')
    assert document is not None
    rows, _ = json_rows(document, {1}, 80)
    assert [line_text(row) for row in rows] == ["▾ {", '  ▸ "a": { 2 keys },', '    "d": 4', "  }"]


@pytest.mark.parametrize("text", ["[" * 20_000 + "]" * 20_000, '{"a": ', "[1,]", "{'a': 1}"])
def test_what_is_no_json_is_shown_as_it_is(text: str) -> None:
    """Too deep or broken JSON becomes plain text with a word about it, never an error."""
    layout = lay_out(text, "json", 60)
    assert layout.kind == "plain"
    assert "Not readable as JSON" in line_text(layout.rows[0])
    assert "".join(map(line_text, layout.rows[1:])).replace(" ", "") == text.replace(" ", "")


def test_the_kind_of_a_text_is_seen() -> None:
    """Objects are JSON, headings and lists are Markdown, a sentence is plain."""
    assert kind_of(json.dumps({"a": 1})) == "json"
    assert kind_of("# A heading") == kind_of("words\n- item") == kind_of("**bold**") == "markdown"
    assert kind_of("Just a sentence - nothing else.") == "plain"


class PaneApp(App[None]):
    """One widget, alone."""

    def __init__(self, widget: TextPane) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        """Only the widget."""
        yield self.widget


async def test_a_pane_folds_by_key_and_by_click() -> None:
    """Enter folds the node under the cursor, a click unfolds it."""
    pane = TextPane('{"a": {"b": 1}, "c": 2}')
    async with PaneApp(pane).run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        assert pane.shown_kind == "json" and pane.row_count == 6
        await pilot.press("down", "enter")
        assert pane.row_texts[1] == '  ▸ "a": { 1 key },'
        await pilot.click(pane, offset=(4, 1))
        assert pane.row_count == 6
        await pilot.press("minus")
        assert pane.row_count == 4


async def test_a_pane_toggles_between_source_and_layout() -> None:
    """``m`` shows the source as it came, and the layout again."""
    pane = TextPane("# Title\n\n**bold**")
    async with PaneApp(pane).run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        assert pane.row_texts[0] == "Title"
        await pilot.press("m")
        await settle(pilot)
        assert pane.row_texts == ["# Title", "", "**bold**"]
        await pilot.press("m")
        await settle(pilot)
        assert pane.row_texts[0] == "Title"


async def test_an_answer_streams_plain_and_rests_as_markdown() -> None:
    """Pieces are drawn together as they come; at rest the Markdown is laid out and the source is whole."""
    answer = AnswerStream()
    async with PaneApp(answer).run_test(size=(60, 20)) as pilot:
        answer.begin()
        text = "# Title\n\nSome **bold** words and a table.\n" * 3
        for number in range(0, len(text), 3):
            answer.append(text[number : number + 3])
        await until(lambda: answer.frames, pilot, "a frame")
        assert answer.frames == 1
        assert answer.row_texts[0] == "# Title"
        answer.rest()
        await settle(pilot)
        assert answer.row_texts[0] == "Title"
        assert answer.source == text


async def test_the_end_is_followed_unless_somebody_scrolled_up() -> None:
    """New rows keep the end in view; after scrolling up the view stays where it is."""
    answer = AnswerStream()
    async with PaneApp(answer).run_test(size=(40, 10)) as pilot:
        answer.focus()
        answer.begin()
        answer.append("line\n" * 50)
        await until(lambda: answer.frames == 1, pilot)
        assert answer.scroll_y == answer.max_scroll_y > 0
        answer.scroll_to(y=5, animate=False)
        answer.append("line\n" * 50)
        await until(lambda: answer.frames == 2, pilot)
        assert answer.scroll_y == 5 < answer.max_scroll_y
        answer.scroll_to(y=answer.max_scroll_y, animate=False)
        answer.append("line\n" * 50)
        await until(lambda: answer.frames == 3, pilot)
        assert answer.scroll_y == answer.max_scroll_y


async def test_a_resize_while_streaming_loses_nothing() -> None:
    """Another width wraps what has come again, and what comes meanwhile follows."""
    answer = AnswerStream()
    async with PaneApp(answer).run_test(size=(80, 20)) as pilot:
        answer.begin()
        text = "some words of an answer " * 3000
        answer.append(text[:50_000])
        await until(lambda: answer.frames, pilot)
        await pilot.resize_terminal(40, 20)
        answer.append(text[50_000:])
        await settle(pilot)
        await until(lambda: not answer._waiting, pilot)
        assert " ".join(answer.row_texts).split() == text.split()
        assert max(map(len, answer.row_texts)) <= 41


async def test_a_megabyte_on_one_line_is_only_wrapped_once() -> None:
    """A megabyte without a line break is shown as it comes, each piece wrapped alone."""
    answer = AnswerStream()
    async with PaneApp(answer).run_test(size=(80, 20)) as pilot:
        answer.begin()
        for _ in range(10):
            frames = answer.frames
            answer.append("x" * 100_000)
            await until(lambda before=frames: answer.frames > before, pilot)  # type: ignore[misc]
        assert answer.row_count == -(-1_000_000 // answer.room)
        answer.rest()
        await settle(pilot)
        assert answer.source == "x" * 1_000_000


async def test_escapes_in_an_answer_never_reach_a_strip() -> None:
    """What is drawn holds no control character, whatever came."""
    answer = AnswerStream()
    async with PaneApp(answer).run_test(size=(80, 20)) as pilot:
        answer.begin()
        answer.append(HOSTILE)
        await until(lambda: answer.frames, pilot)
        drawn = "".join(segment.text for y in range(3) for segment in answer.render_line(y))
        answer.rest("plain")
        await settle(pilot)
        drawn += "".join(segment.text for y in range(3) for segment in answer.render_line(y))
        assert "␛]0;x␇" in drawn and "[@click=app.quit]" in drawn
        assert drawn == printable(drawn)


def test_wrapping_keeps_looks() -> None:
    """A wrapped line keeps every character's look."""
    from ledger_tui.ui.widgets.lines import CODE, STRONG, wrap

    rows = wrap((Run("bold words ", STRONG), Run("code words", CODE)), 8)
    assert rows == [
        (Run("bold", STRONG),),
        (Run("words", STRONG),),
        (Run("code", CODE),),
        (Run("words", CODE),),
    ]
