"""What the Drift page says: the cells of its table, a place in one line, where was looked, and why there is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.content import Content

from ledger_tui.domain import clock
from ledger_tui.domain.drift import DriftRow, Ground, Matrix, Place, place_words
from ledger_tui.domain.measure import age
from ledger_tui.domain.text import one_line
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.row_table import Cell

LEGEND = "● held against   = same   ≠ differs   — not there   ? not known   ◆ marked"
SHORT = 7
LONGEST_PATH = 48
ONE_LINE = 146
"""So many columns put a place's whole hash on its line."""
_KEY = "bold $primary"


def column_title(key: str, ground: Ground) -> str:
    """The head of a column."""
    kind, _, name = key.partition(":")
    if kind == "head":
        return f"HEAD {(ground.commit or '')[:SHORT]}"
    return {"working": "working tree", "registered": "registered", "label": name, "executed": f"ran in {name}"}[kind]


def cell(row: DriftRow, key: str, marked: bool = False) -> Cell:
    """One place of a prompt: a sign, and the version or the beginning of the hash. Equal cells have equal words."""
    place = row.at(key)
    mark = "◆" if marked else ""
    if place is None:
        return (f"{mark}?", "$text-muted") if key in ("working", "head") else mark
    words = f"{mark}{sign(row, place)} {version_words(place)}"
    if place.kind == "executed" and place.at_us is not None:
        words += f" · {age(place.at_us, clock.seen_from_us())}"
    return (words, "$warning") if place in row.differing() else words


def sign(row: DriftRow, place: Place) -> str:
    """``●`` for what the others are held against, else whether it is the same."""
    if place is row.reference:
        return "●"
    return "≠" if place in row.differing() else "="


def version_words(place: Place) -> str:
    """``v3``, the beginning of the hash of what has no number, ``—`` for nothing."""
    if place.sha256 is None:
        return "—"
    return f"v{place.version}" if place.version else place.sha256[:SHORT]


def name_cell(row: DriftRow) -> Cell:
    """The prompt's name behind the sign of the whole row."""
    if row.differing():
        return (f"≠ {row.name}", "bold")
    return f"? {row.name}" if row.place("working") is None else f"= {row.name}"


def place_line(row: DriftRow, place: Place, marked: bool, width: int, muted: str = "$text-muted") -> Content:
    """A place with its whole hash, version, commit, file and age; on two lines where there is little room."""
    differs = place in row.differing()
    head = Content.assemble(
        ("◆ " if marked else "◇ ", "$primary" if marked else muted),
        (f"{sign(row, place)} ", "$warning" if differs else ""),
        (one_line(place_words(place), 30).ljust(24), "bold" if place is row.reference else ""),
        f"{version_words(place) if place.version else '—' if place.sha256 is None else 'no version':<11}",
        (_since(place).rjust(5), muted),
    )
    file = f"{place.path}{f':{place.line}' if place.line else ''}"
    origin = "from " if place.kind in ("registered", "label", "executed") else ""
    commit = f"{origin}{place.commit[:10]}{' changed' if place.dirty else ''}" if place.commit else ""
    facts = "  ".join(part for part in (file, commit) if part)
    digest = (place.sha256 or "nothing is there").ljust(64)
    if width >= ONE_LINE:
        return Content.assemble(head, "  ", digest, "  ", line(facts, width - head.cell_length - 68, muted))
    room = max(10, width - head.cell_length - 2)
    return Content.assemble(head, "  ", line(facts, room, muted), f"\n    {digest}")


def _since(place: Place) -> str:
    return "" if place.at_us is None else age(place.at_us, clock.seen_from_us())


def ground_line(matrix: Matrix) -> Content:
    """Where was looked, and how the prompts were found."""
    ground = matrix.ground
    where = one_line(home(ground.top or ground.folder), 60)
    parts: list[Content | str | tuple[str, str]] = [("Code in ", "$text-muted"), (where, "bold")]
    if ground.git == "no git":
        parts.append((" · ⚠ there is no git command here, so the last commit is not known", "$warning"))
    elif ground.git == "no work tree":
        parts.append((" · ⚠ not inside a git work tree", "$warning"))
    elif ground.commit is None:
        parts.append((" · no commit yet", "$text-muted"))
    else:
        since = f", {age(ground.commit_us, clock.seen_from_us())} ago" if ground.commit_us is not None else ""
        branch = one_line(ground.branch, 40) or "no branch"
        parts.append((f" · {branch} at {ground.commit[:SHORT]}{since}", "$text-muted"))
    return Content.assemble(*parts)


def source_words(matrix: Matrix) -> str:
    """How the prompts were found and which are not compared, our own words and the project's."""
    ground = matrix.ground
    project = f"{one_line(ground.wanted, 60)} (pyproject.toml)"
    if ground.reading == "folder":
        words = [f"The folder {project} and the files that prompts were registered from"]
    elif ground.wanted:
        words = [f"{project} is Python, which is read but not run here; ledger-tui drift asks it"]
    else:
        words = ["The files that prompts were registered from; Python is read, not run"]
    if ground.elsewhere:
        words.append(f"{ground.elsewhere} of another repository")
    if ground.unplaced:
        words.append(f"{ground.unplaced} registered without a file")
    return " · ".join(words)


def home(path: str) -> str:
    """A path with ``~`` for the person's own folder; of a long one the end."""
    own = str(Path.home())
    shown = f"~{path[len(own) :]}" if own != "/" and (path == own or path.startswith(f"{own}/")) else path
    return shown if len(shown) <= LONGEST_PATH else f"…{shown[1 - LONGEST_PATH :]}"


def nothing_here(ground: Ground) -> Content:
    """There is no code prompt: how one comes to be."""
    look = Content.assemble(
        "Looked in ", (one_line(home(ground.top or ground.folder), 60), "$foreground"),
        " (the setting ", ("code_folder", _KEY), " names another folder).",
    )  # fmt: skip
    trouble = {
        "no git": "There is no git command here: without it only a folder of prompt files can be compared.\n\n",
        "no work tree": "This folder is in no git work tree: start the workstation in your program's.\n\n",
        "work tree": "",
    }[ground.git]
    return Content.assemble(
        ("No prompt of your code is registered yet.", "bold"), "\n\n",
        "A program keeps its own prompts and tells the ledger of them:\n\n",
        (CODE, "$foreground"), "\n\n",
        "or name a folder of .jinja, .md and .prompty files in pyproject.toml:\n\n",
        (PROJECT, "$foreground"), "\n\n",
        trouble, look, "\n\n", ("r", _KEY), "  look again      ", ("esc", _KEY), "  back",
    )  # fmt: skip


CODE = (
    'ledger = PromptLedger(mode="tracking_only", code_registry="prompts")\n'
    "ledger.register_code_prompts()                                      "
)
PROJECT = '[tool.ledger-tui]   \nprompts = "prompts"'


def failed(title: str, words: str) -> Content:
    """It could not be looked."""
    return Content.assemble(
        (f"⚠ {one_line(title, 100)}", "bold $warning"), "\n\n", line(words, 400), "\n\n",
        ("r", _KEY), "  look again      ", ("esc", _KEY), "  back",
    )  # fmt: skip


def subtitle(matrix: Matrix, shown: Sequence[DriftRow]) -> str:
    """How many differ, and how many the filter leaves."""
    total = f"{len(matrix.drifted)} of {len(matrix.rows)} differ"
    return total if len(shown) == len(matrix.rows) else f"{len(shown)} shown · {total}"


def filtered(rows: Sequence[DriftRow], text: str) -> list[DriftRow]:
    """The rows whose name or file holds every word."""
    words = text.lower().split()
    return [row for row in rows if all(word in f"{row.name} {row.path}".lower() for word in words)]
