"""Immutable records: what frozen dataclasses are, with a tenth of their cost at import.

The compiler has about a hundred node classes; building them with `dataclasses` takes longer than
checking a small program. A subclass of `Record` gets `__init__` from its annotations, equality,
hash and repr from one shared implementation. Type checkers treat it as a frozen dataclass and
refuse assignments; at run time nothing stops them, which makes construction fast.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, dataclass_transform

R = TypeVar("R", bound="Record")


def _annotations(cls: type) -> dict[str, Any]:
    """The annotations a class itself makes (`inspect.get_annotations` costs its import)."""
    return dict(cls.__dict__.get("__annotations__", {}))  # noqa: RUF063


@dataclass_transform(frozen_default=True, eq_default=True)
class Record:
    """Base of all records. `_ignored` names fields that do not take part in comparison."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _compared: ClassVar[tuple[str, ...]] = ()
    _ignored: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        own = [
            name
            for name, annotation in _annotations(cls).items()
            if not name.startswith("_") and "ClassVar" not in str(annotation)
        ]
        cls._fields = (*cls._fields, *(n for n in own if n not in cls._fields))
        cls._compared = tuple(n for n in cls._fields if n not in cls._ignored)
        setattr(cls, "__match_args__", cls._fields)  # noqa: B010  (mypy owns the name)
        missing = object()
        defaults = {n: getattr(cls, n, missing) for n in cls._fields}
        parameters = "".join(
            f", {n}" if defaults[n] is missing else f", {n}=_d[{n!r}]" for n in cls._fields
        )
        body = "".join(f"\n    self.{n} = {n}" for n in cls._fields) or "\n    pass"
        made: dict[str, Any] = {"_d": defaults}
        exec(f"def __init__(self{parameters}):{body}", made)
        cls.__init__ = made["__init__"]  # type: ignore[method-assign]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in self._compared)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, n) for n in self._compared)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{n}={getattr(self, n)!r}" for n in self._compared)
        return f"{type(self).__name__}({shown})"


def replace(record: R, **changes: Any) -> R:
    """A copy with other values for some fields."""
    values = {n: getattr(record, n) for n in record._fields}
    values.update(changes)
    return type(record)(**values)
