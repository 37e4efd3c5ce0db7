"""Price books as files, TOML or JSON: a list of prices, each with its model, its range and USD per million tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.price_entries import OwnPrices, PriceEntryRow, PriceSpec, checked, iso, moment_us
from ledger_tui.domain.rate_card import CLASSES
from ledger_tui.errors import InputError

if TYPE_CHECKING:
    from ledger_tui.pricing.prices import PriceList

MAX_BYTES = 10 * 1024 * 1024
_SEED_FROM = "2024-01-01"
_SEED = (
    ("openai", "gpt-4o", "0.00500", "0.01500"),
    ("openai", "gpt-4o-mini", "0.00015", "0.00060"),
    ("openai", "gpt-3.5-turbo", "0.00050", "0.00150"),
    ("anthropic", "claude-3-5-sonnet-20241022", "0.00300", "0.01500"),
    ("anthropic", "claude-3-haiku-20240307", "0.00025", "0.00125"),
)
"""USD per thousand tokens, as that engine kept them."""
_REMEDY = 'Each [[price]] has model = "provider/name", from, input and output in USD per million tokens.'


def seed() -> list[PriceSpec]:
    """The five prices of the old engine, per million tokens."""
    return [
        checked(
            provider,
            model,
            {"input": _per_million(given), "output": _per_million(made)},
            from_us=moment_us(_SEED_FROM),
            source="the cost configs of Prompt Engine",
        )
        for provider, model, given, made in _SEED
    ]


def _per_million(thousand: str) -> Decimal:
    return Decimal(f"{(Decimal(thousand) * 1000).normalize():f}")


def price_list(book: str, own: OwnPrices) -> PriceList:
    """The prices of a book by name: ``own``, ``library``, or a file of which nothing but its prices counts."""
    from ledger_tui.pricing.prices import PriceList

    if book == "own":
        return PriceList(own, "own")
    if book == "library":
        return PriceList(own, "library")
    rows = [PriceEntryRow(f"{book} {number}", spec) for number, spec in enumerate(read(Path(book)), 1)]
    return PriceList(OwnPrices(rows), "own")


def read(path: Path) -> list[PriceSpec]:
    """The prices of a book file; InputError names the price that cannot be taken."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path.name} is larger than {MAX_BYTES // 1024**2} MB", title="This is no price book")
        raw = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error})", title="The price book cannot be read") from error
    return parse(raw, path.name)


def parse(raw: str, name: str) -> list[PriceSpec]:
    """The prices of a book's text; JSON when it begins as an object or a list of them, else TOML."""
    import tomllib

    try:
        is_json = re.match(r"\s*(\{|\[\s*[{\]])", raw) is not None
        found: Any = json.loads(raw, parse_float=Decimal) if is_json else tomllib.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: {error}", title="The price book cannot be read", remedy=_REMEDY) from error
    rows = found.get("price") if isinstance(found, Mapping) else found
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise InputError(f"{name} holds no list of prices", title="This is no price book", remedy=_REMEDY)
    specs = []
    for number, row in enumerate(rows, 1):
        try:
            specs.append(_spec(row))
        except InputError as error:
            raise InputError(
                f"{name}, price {number}: {error.cause}", title=error.title, remedy=error.remedy
            ) from error
    return specs


def text(specs: Sequence[PriceSpec], kind: str) -> str:
    """A book's text; what ``parse`` makes of it are the same prices."""
    rows = [_row(spec) for spec in specs]
    if kind == "json":
        return json.dumps({"price": rows}, ensure_ascii=False, indent=2) + "\n"
    parts = ["# USD per million tokens; a price holds from its moment (UTC) until the other.\n"]
    for row in rows:
        tiers = row.pop("tiers", [])
        parts.append("[[price]]\n" + _toml(row))
        parts += ["[[price.tiers]]\n" + _toml(tier) for tier in tiers]
    return "\n".join(parts)


def write_whole(path: Path, content: str) -> None:
    """Write a file as a whole or not at all; raises InputError when that cannot be done."""
    import os
    import tempfile

    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", title="The file cannot be written") from error


def _spec(row: Mapping[str, Any]) -> PriceSpec:
    known = {"model", "from", "until", "source", "tiers", "free", *CLASSES}
    if unknown := sorted(set(map(str, row)) - known):
        raise InputError(f"{unknown[0][:40]!r} is not known", remedy=_REMEDY)
    model = row.get("model")
    if not isinstance(model, str) or "/" not in model or row.get("from") is None:
        raise InputError("it needs a model, provider/name, and from", remedy=_REMEDY)
    provider, _, name = model.partition("/")
    tiers = row.get("tiers") or []
    if not isinstance(tiers, list) or not all(isinstance(tier, Mapping) for tier in tiers):
        raise InputError("tiers are a list", remedy=_REMEDY)
    until = row.get("until")
    return checked(
        provider,
        name,
        {key: row[key] for key in CLASSES if key in row},
        from_us=moment_us(str(row["from"])),
        until_us=None if until is None else moment_us(str(until)),
        tiers=[
            {"above": tier.get("above"), "prices": {k: v for k, v in tier.items() if k != "above"}} for tier in tiers
        ],
        source=str(row.get("source") or ""),
        free=row.get("free") is True,
    )


def _row(spec: PriceSpec) -> dict[str, Any]:
    row: dict[str, Any] = {"model": spec.name, "from": iso(spec.from_us)}
    if spec.until_us is not None:
        row["until"] = iso(spec.until_us)
    row |= {name: f"{price:f}" for name, price in spec.prices.items()}
    if spec.source:
        row["source"] = spec.source
    if not any(spec.prices.values()):
        row["free"] = True
    if spec.tiers:
        row["tiers"] = [
            {"above": tier.above, **{name: f"{price:f}" for name, price in tier.prices.items()}} for tier in spec.tiers
        ]
    return row


def _toml(row: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in row.items())
