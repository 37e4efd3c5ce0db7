"""Prices and what-if from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from ledger_tui import PromptLedger
from ledger_tui.domain import clock

from tests.cli.conftest import Call


def record(count: int = 3) -> None:
    """Calls of a model that nobody has a price for."""
    with PromptLedger() as ledger:
        ledger.prepare()
        for number in range(count):
            ledger.log_external_span(
                f"t{number}", name="c", model="m", provider="acme", prompt_tokens=1000, completion_tokens=10
            )
        ledger.flush()


def test_a_price_from_entering_to_withdrawing(call: Call) -> None:
    """add, list, end, remove and history work on one price, in tables and as JSON."""
    added = call(
        "prices",
        "add",
        "acme/m",
        "--input",
        "2.50",
        "--output",
        "10",
        "--from",
        "2026-01-01",
        "--reason",
        "deal",
        "--json",
    )
    assert added.code == 0
    (price,) = added.json["prices"]
    assert price["created"] and price["prices"] == {"input": "2.50", "output": "10"} and price["reason"] == "deal"
    assert "acme/m" in call("prices").text and "2.50" in call("prices", "list").text
    assert call("prices", "list", "--at", "2025-12-31", "--json").json == {"prices": []}
    ended = call("prices", "end", price["id"][:30], "--at", "2026-02-01T00:00Z", "--json").json
    assert ended["until"].startswith("2026-02-01")
    assert call("prices", "remove", price["id"], "--reason", "typo").code == 0
    assert call("prices", "list", "--json").json == {"prices": []}
    facts = call("prices", "history", "--json").json["facts"]
    assert [fact["kind"] for fact in facts] == ["price"] * 3 and "withdrawn" in facts[0]["words"]


def test_what_cannot_be_is_an_error_with_a_way_out(call: Call) -> None:
    """Overlaps, odd amounts and doubtful moments end with code 1 and say what to do; a missing option is wrong usage."""
    entry = ("prices", "add", "acme/m", "--output", "1")
    assert call(*entry, "--input", "1", "--from", "2026-01-01").code == 0
    for arguments in (
        ("--input", "2", "--from", "2026-01-01"),
        ("--input", "NaN"),
        ("--input", "1", "--from", "2026-11-01T01:30"),
    ):
        answer = call(*entry, *arguments)
        assert answer.code == 1 and "→" in answer.err and not answer.out
    assert call(*entry).code == 2


def test_the_seed_and_a_file(call: Call, tmp_path: Path) -> None:
    """import seed enters five prices once; export and import carry a book over unchanged."""
    first = call("prices", "import", "seed", "--json").json["prices"]
    assert len(first) == 5 and all(price["from"].startswith("2024-01-01") for price in first)
    assert not any(price["created"] for price in call("prices", "import", "seed", "--json").json["prices"])
    file = tmp_path / "book.json"
    assert call("prices", "export", str(file)).code == 0
    assert len(json.loads(file.read_text())["price"]) == 5
    assert not any(price["created"] for price in call("prices", "import", str(file), "--json").json["prices"])
    assert call("prices", "export").text.count("[[price]]") == 5
    assert call("prices", "import", str(tmp_path / "none.toml")).code != 0


def test_pricing_what_had_no_price(call: Call) -> None:
    """unpriced lists calls, a dry run changes nothing, price-unpriced charges them once."""
    record()
    assert call("prices", "unpriced", "--json").json["unpriced"][0]["calls"] == 3
    day = clock.now().date().isoformat()
    assert call("prices", "add", "acme/m", "--input", "1", "--output", "1", "--from", day).code == 0
    dry = call("prices", "price-unpriced", "--dry-run", "--json").json
    assert (dry["dry_run"], dry["priced"], dry["cost_usd"]) == (True, 3, "0.00303")
    done = call("prices", "price-unpriced", "--model", "acme/m", "--json").json
    assert (done["priced"], done["still_unpriced"]) == (3, 0)
    assert call("prices", "unpriced", "--json").json == {"unpriced": []}
    assert "0 calls priced" in call("prices", "price-unpriced").err


def test_what_if(call: Call) -> None:
    """what-if sets other prices beside what was charged, exactly, and says null where no price is known."""
    record()
    shape = call("what-if", "model:m", "--json").json
    assert shape["total"]["charged_usd"] is None and shape["total"]["would_usd"] is None
    assert (shape["total"]["unpriced"], shape["total"]["unpriceable"]) == (3, 3)
    shape = call("what-if", "--model", "openai/gpt-4o-mini", "--at", "2026-01-01", "--json").json
    assert shape["total"]["would_usd"] == "0.000468" and shape["sources"][0].startswith("genai-prices")
    assert "total" in call("what-if", "--book", "library").text
    assert call("what-if", "--from", "2020-01-01", "--to", "2020-02-01", "--json").json["total"]["calls"] == 0
    assert call("what-if", "--book", "/no/such/file").code != 0
