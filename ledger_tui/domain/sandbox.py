"""The Jinja2 environment for templates that strangers wrote: plain values, no loader, few names, checked first.

Time and memory are not limited here but around it: see ``domain/render_child.py`` and ``services/templates.py``.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import cache, cached_property
from itertools import islice
from typing import Any

import jinja2
from jinja2 import StrictUndefined, Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from ledger_tui.domain.template import MAX_OUTPUT_BYTES, NO_TEXTS, Analysis, Problem, check_size
from ledger_tui.domain.template_failures import our_error, plain_words
from ledger_tui.domain.template_parser import Reading, read
from ledger_tui.errors import (
    TemplateError,
    TemplateRefused,
    TemplateTooExpensive,
)

_KEPT = 256
_TOGETHER = 128
"""Pieces of text that are counted together."""
_MAX_POWER_BITS = 65_536
_TEXT = frozenset(
    [
        "capitalize",
        "casefold",
        "center",
        "count",
        "endswith",
        "expandtabs",
        "find",
        "index",
        "isalnum",
        "isalpha",
        "isascii",
        "isdecimal",
        "isdigit",
        "isidentifier",
        "islower",
        "isnumeric",
        "isprintable",
        "isspace",
        "istitle",
        "isupper",
        "join",
        "ljust",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rindex",
        "rjust",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "upper",
        "zfill",
    ]
)
_LOOP = frozenset(
    [
        "index",
        "index0",
        "revindex",
        "revindex0",
        "first",
        "last",
        "length",
        "previtem",
        "nextitem",
        "depth",
        "depth0",
        "cycle",
        "changed",
    ]
)
_ALLOWED: tuple[tuple[type, frozenset[str]], ...] = (
    (str, _TEXT),
    (list, frozenset({"index", "count"})),
    (tuple, frozenset({"index", "count"})),
    (dict, frozenset({"get", "items", "keys", "values"})),
    (LoopContext, _LOOP),
)


_OF_MAPPINGS = frozenset(dir(dict))


class _Composition(threading.local):
    """What the templates that this thread renders now may include."""

    texts: Mapping[str, str] = NO_TEXTS
    used: list[str] | None = None
    names: dict[Template, str] | None = None
    """Under which name a template that was reached stands."""


_composition = _Composition()


class _Code(CodeGenerator):
    """Jinja2's own, but for ``value.name``: a key of a plain mapping, and what a loop tells, are read in place.

    The sandbox would do the same, for what stands in a mapping is never an attribute of it, and it allows what a loop tells.
    """

    _held = 0

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:
        if node.attr in _OF_MAPPINGS:
            super().visit_Getattr(node, frame)
            return
        self._held += 1
        held = f"held_{self._held}"
        other = f"environment.getattr({held}, {node.attr!r})"
        if node.attr in _LOOP:
            other = f"{held}.{node.attr} if type({held}) is LoopContext else {other}"
        self.write(f"({held}[{node.attr!r}] if type({held} := ")
        self.visit(node.node, frame)
        self.write(f") is dict and {node.attr!r} in {held} else {other})")


class _Context(Context):
    """Jinja2's own, which is made for every rendering; what hardly any template asks for is made when it does."""

    def __init__(
        self,
        environment: jinja2.Environment,
        parent: dict[str, Any],
        name: str | None,
        blocks: dict[str, Callable[[Context], Iterator[str]]],
        globals: MutableMapping[str, Any] | None = None,
    ) -> None:
        self.parent = parent
        self.vars = {}
        self.environment = environment
        self.exported_vars = set()
        self.name = name
        self.globals_keys = set() if globals is None else set(globals)
        self.blocks = {name: [block] for name, block in blocks.items()}

    @cached_property
    def eval_ctx(self) -> nodes.EvalContext:  # type: ignore[override]
        """Whether output is escaped; a few filters ask."""
        return nodes.EvalContext(self.environment, self.name)


class Environment(ImmutableSandboxedEnvironment):
    """Jinja2 with methods by white list and without the ways out that have been found over the years."""

    code_generator_class = _Code
    context_class = _Context
    intercepted_binops = frozenset({"*", "**"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined, loader=None, autoescape=False, keep_trailing_newline=True, optimized=False
        )
        safe_range = self.globals["range"]
        self.globals.clear()
        self.globals.update(range=safe_range, dict=dict, namespace=Namespace)
        self.filters["tojson"] = _tojson

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether ``obj.attr`` may be used: listed methods of plain values, and what a template put in a namespace."""
        if isinstance(obj, Namespace):
            return not attr.startswith("_")
        return any(attr in allowed for kind, allowed in _ALLOWED if isinstance(obj, kind))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """``obj.attribute`` of a template, as Jinja2 has it."""
        if type(obj) is LoopContext and attribute in _LOOP:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> Template:
        """The template of an include: only among the texts that were given with the one that is being rendered."""
        text = _composition.texts.get(name)
        if text is None:
            raise TemplateRefused(f"{name!r} was not looked up before rendering")
        used, names = _composition.used, _composition.names
        if used is not None and name not in used:
            used.append(name)
        template = compiled(text)[0]
        if names is not None:
            names[template] = name
        return template

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """``str.format`` is not wrapped but refused like any other unlisted method."""
        return None

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """What stands for an attribute that may not be used; touching it raises SecurityError."""
        return self.undefined(
            f"{attribute!r} of {_kind(obj)} may not be used", name=attribute, obj=obj, exc=SecurityError
        )

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Products and powers, refused before they are computed when the result alone would be too large."""
        if operator == "**":
            if isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > _MAX_POWER_BITS:
                raise OverflowError("the power is too large")
        else:
            for text, count in ((left, right), (right, left)):
                if (
                    isinstance(text, str | list | tuple)
                    and isinstance(count, int)
                    and len(text) * count > MAX_OUTPUT_BYTES
                ):
                    raise OverflowError("the repetition is too long")
        return super().call_binop(context, operator, left, right)


def _tojson(value: Any, indent: int | None = None) -> str:
    """JSON as a model should read it: no HTML escapes, keys in their order."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _kind(obj: Any) -> str:
    kinds = {str: "a text", dict: "a mapping", list: "a list", int: "a number", float: "a number", Undefined: "nothing"}
    return next((word for kind, word in kinds.items() if isinstance(obj, kind)), f"a {type(obj).__name__}")


@cache
def environment() -> Environment:
    """The one environment of this process."""
    return Environment()


def analyse(source: str) -> Analysis:
    """The variables and problems of ``source``; never raises."""
    try:
        reading = read(environment(), check_size(source))
    except TemplateError as error:
        return Analysis(problems=(Problem(error.line or 1, error.column or 1, (error.column or 1) + 1, str(error)),))
    problems = [Problem(f.line, f.column, f.end_column, f.message, f.severity) for f in reading.faults]
    return Analysis(reading.variables, tuple(sorted(problems, key=lambda p: (p.line, p.column))), reading.includes)


_compiled: OrderedDict[bytes, tuple[Template, Reading]] = OrderedDict()
_lock = threading.Lock()


def compiled(source: str) -> tuple[Template, Reading]:
    """The template of ``source``, compiled once per sha256; raises the TemplateError family."""
    digest = hashlib.sha256(check_size(source).encode("utf-8", "surrogatepass")).digest()
    with _lock:
        if digest in _compiled:
            _compiled.move_to_end(digest)
            return _compiled[digest]
    made = _compile(source)
    with _lock:
        _compiled[digest] = made
        while len(_compiled) > _KEPT:
            _compiled.popitem(last=False)
    return made


def _compile(source: str) -> tuple[Template, Reading]:
    jinja = environment()
    reading = read(jinja, source)
    for fault in reading.faults:
        if fault.severity == "error":
            raise fault.error()
    tree = reading.tree
    assert isinstance(tree, nodes.Template)
    try:
        code = jinja.compile(tree)
    except RecursionError as error:
        raise TemplateTooExpensive("it is nested too deeply") from error
    except Exception as error:
        line = getattr(error, "lineno", 0) or 0
        raise TemplateError(plain_words(error), line=line, column=1 if line else 0) from error
    # A plain mapping: Jinja2's own chains two, which every rendering would walk through in Python.
    return Template.from_code(jinja, code, dict(jinja.globals)), reading


def render(
    source: str,
    variables: Mapping[str, Any],
    limit: int = MAX_OUTPUT_BYTES,
    texts: Mapping[str, str] = NO_TEXTS,
    used: list[str] | None = None,
) -> str:
    """The text that ``source`` makes of ``variables``; raises the TemplateError family, also past ``limit`` bytes.

    texts: what each name in an include stands for. used: takes the names that were reached, each once.
    """
    return render_compiled(compiled(source), variables, limit, texts, used)


def render_compiled(
    made: tuple[Template, Reading],
    variables: Mapping[str, Any],
    limit: int = MAX_OUTPUT_BYTES,
    texts: Mapping[str, str] = NO_TEXTS,
    used: list[str] | None = None,
) -> str:
    """``render`` of a template that ``compiled`` gave."""
    template, reading = made
    names: dict[Template, str] = {}
    if texts:
        _composition.texts, _composition.used, _composition.names = texts, used, names
    try:
        context = _Context(
            template.environment, {**template.globals, **variables}, template.name, template.blocks, template.globals
        )
        return _counted(template.root_render_func(context), limit)
    except TemplateTooExpensive:
        raise
    except Exception as error:
        raise our_error(error, template, reading, names) from error
    finally:
        if texts:
            _composition.texts, _composition.used, _composition.names = NO_TEXTS, None, None


def _counted(pieces: Iterator[str], limit: int) -> str:
    """The pieces in one; TemplateTooExpensive soon after they come to more than ``limit`` bytes."""
    # No text has more characters than bytes, so counting those ends it in time; bytes are counted once, at the end.
    parts = list(islice(pieces, _TOGETHER))
    if len(parts) == _TOGETHER:
        size = sum(map(len, parts))
        while size <= limit and (more := list(islice(pieces, _TOGETHER))):
            parts += more
            size += sum(map(len, more))
        if size > limit:
            raise _too_much()
    text = "".join(parts)
    if len(text) > limit or not (text.isascii() or len(text.encode("utf-8", "surrogatepass")) <= limit):
        raise _too_much()
    return text


def _too_much() -> TemplateTooExpensive:
    return TemplateTooExpensive(
        f"it makes more than {MAX_OUTPUT_BYTES // 1024 // 1024} MB of text", title="The template makes too much text"
    )
