"""Frozen values for what a program loads before its first span: ``dataclasses`` alone takes longer to load than all of that.

Only for values that are made seldom; what is made by the thousand is a tuple or has slots of its own.
"""

from __future__ import annotations

from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def frozen(kind: type[T]) -> type[T]:
    """``kind`` with an initializer, equality, hash and repr made from its annotated fields; nothing is set afterwards.

    A field with a value in the class has that as its default, the same object for all: never a mutable one.
    """
    names = tuple(vars(kind)["__annotations__"])
    defaults = {name: vars(kind)[name] for name in names if name in vars(kind)}

    def initialize(self: T, *values: Any, **named: Any) -> None:
        given = dict(zip(names, values, strict=False)) | named
        wrong = [name for name in named if name not in names or name in names[: len(values)]]
        missing = [name for name in names if name not in given and name not in defaults]
        if wrong or missing or len(values) > len(names):
            told = ", ".join(wrong or missing or ["too many values"])
            raise TypeError(f"{kind.__name__}() was not given what it takes: {told}")
        vars(self).update(defaults | given)

    def refuse(self: T, name: str, *value: Any) -> None:
        raise AttributeError(f"{kind.__name__}.{name} cannot be changed")

    def equal(self: T, other: object) -> bool:
        return type(other) is type(self) and vars(self) == vars(other)

    def hashed(self: T) -> int:
        return hash(tuple(vars(self)[name] for name in names))

    def shown(self: T) -> str:
        return f"{kind.__name__}({', '.join(f'{name}={vars(self)[name]!r}' for name in names)})"

    made = {
        "__init__": initialize, "__setattr__": refuse, "__delattr__": refuse, "__eq__": equal, "__hash__": hashed,
        "__repr__": shown, "__match_args__": names,
    }  # fmt: skip
    for name, value in made.items():
        setattr(kind, name, value)
    return kind
