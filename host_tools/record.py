"""Records: what dataclasses are, with a tenth of their cost at import.

The host tools have some two hundred small classes; building them with `dataclasses` takes longer
than checking a program. Here a class gets one generated `__init__`; equality, hash and repr are
shared. Type checkers treat records as dataclasses and refuse assignments to frozen ones; at run
time nothing stops them, which makes construction fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform

T = TypeVar("T")


class _Factory:
    """Stands for the default of a field that needs a new object each time."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def field(*, default_factory: Callable[[], T]) -> T:
    """A field whose default is made anew for each record."""
    return _Factory(default_factory)  # type: ignore[return-value]


def _equip(cls: type) -> None:
    """Give `cls` its fields, the inherited ones first, and its `__init__`."""
    inherited: tuple[str, ...] = getattr(cls, "_fields", ())
    ignored: frozenset[str] = getattr(cls, "_ignored", frozenset())
    # `inspect.get_annotations` would cost its import.
    annotations = cls.__dict__.get("__annotations__", {})  # noqa: RUF063
    own = [
        name
        for name, annotation in annotations.items()
        if "ClassVar" not in str(annotation) and name not in inherited
    ]
    fields = (*inherited, *own)
    missing = object()
    defaults = {n: getattr(cls, n, missing) for n in fields}
    parameters = body = ""
    for n in fields:
        parameters += f", {n}" if defaults[n] is missing else f", {n}=_d[{n!r}]"
        made = isinstance(defaults[n], _Factory)
        value = f"_d[{n!r}].make() if {n} is _d[{n!r}] else {n}" if made else n
        body += f"\n    self.{n} = {value}"
    scope: dict[str, Any] = {"_d": defaults}
    exec(f"def __init__(self{parameters}):{body or chr(10) + '    pass'}", scope)
    # setattr, since mypy owns these names.
    setattr(cls, "_fields", fields)  # noqa: B010
    setattr(cls, "_compared", tuple(n for n in fields if n not in ignored))  # noqa: B010
    setattr(cls, "__match_args__", fields)  # noqa: B010
    setattr(cls, "__init__", scope["__init__"])  # noqa: B010


def _eq(self: Any, other: Any) -> Any:
    if type(self) is not type(other):
        return NotImplemented
    return all(getattr(self, n) == getattr(other, n) for n in self._compared)


def _lt(self: Any, other: Any) -> Any:
    if type(self) is not type(other):
        return NotImplemented
    mine = tuple(getattr(self, n) for n in self._compared)
    return mine < tuple(getattr(other, n) for n in self._compared)


def _hash(self: Any) -> int:
    return hash((type(self), *(getattr(self, n) for n in self._compared)))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{n}={getattr(self, n)!r}" for n in self._compared)
    return f"{type(self).__name__}({shown})"


@dataclass_transform(field_specifiers=(field,))
def record(
    *, frozen: bool = False, eq: bool = True, order: bool = False
) -> Callable[[type[T]], type[T]]:
    """Decorator: make the class a record. `eq=False` compares by identity; `order` adds `<`."""

    def make(cls: type[T]) -> type[T]:
        _equip(cls)
        shared: dict[str, Any] = {"__repr__": _repr}
        if eq:
            shared |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
        if order:
            shared["__lt__"] = _lt
        for name, function in shared.items():
            if name not in cls.__dict__:
                setattr(cls, name, function)
        return cls

    return make


@dataclass_transform(frozen_default=True, eq_default=True, field_specifiers=(field,))
class Record:
    """Base of frozen records with subclasses, the node classes of trees. `_ignored` names fields
    that do not take part in comparison."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _compared: ClassVar[tuple[str, ...]] = ()
    _ignored: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        _equip(cls)

    __eq__ = _eq
    __hash__ = _hash
    __repr__ = _repr


def replace(record: T, **changes: Any) -> T:
    """A copy with other values for some fields."""
    values = {n: getattr(record, n) for n in record._fields}  # type: ignore[attr-defined]
    values.update(changes)
    return type(record)(**values)
