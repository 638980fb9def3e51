"""Places found in TOML texts agree with what tomllib reads there."""

from __future__ import annotations

import contextlib
import json
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.wiring.toml_positions import Path, ScanError, places


def paths(value: object, path: Path = ()) -> dict[Path, object]:
    """Every path below `value` and what is there."""
    found: dict[Path, object] = {}
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        found[(*path, key)] = inner
        found.update(paths(inner, (*path, key)))
    return found


def key_of(text: str) -> str:
    (name,) = tomllib.loads(text + "=0")
    return name


def agree(text: str) -> None:
    data = tomllib.loads(text)
    scan = places(text)
    expected = paths(data)
    assert set(scan.at) == set(expected)
    assert scan.twice == []
    for path, place in scan.at.items():
        name = text[slice(*place.key)]
        value = text[slice(*place.value)]
        if isinstance(path[-1], str):
            assert key_of(name) == path[-1]
        if isinstance(expected[path], dict | list) and value[0] not in "[{":
            continue  # a dotted key has no text of its own value
        if isinstance(expected[path], dict | list) and place.value[0] < place.key[0]:
            assert name in value  # a header
        else:
            assert tomllib.loads("k=" + value)["k"] == expected[path]


EXAMPLES = [
    "",
    "# only a comment",
    'a=1\n b . "c.d" = [1, [2,\n# x ]\n 3,],]\n',
    "[a.b]\nc=1\n[a]\nd={e={f=2},g=[{h=1},{h=2}]}\n",
    "[[x]]\na=1\n[x.y]\nb=1\n[[x]]\n[x.y]\nb=2\n[[x.z]]\n[[x.z]]\nc=1\n",
    'a="""\n[b]\nc = \\""" ] """""\nd=\'\'\'x\n\'\'\'\'\n',
    "t = 1979-05-27 07:32:00 # date\nu = [1979-05-27 07:32:00 , 07:32:00]\r\nv = true\r\n",
    '"%IX0.0" = { pin = "GP2", pull = "up" }\n\'quo"ted\' = "x # y"\n"\\u00e9" = 0x1F',
    "a.b.c = 1\na.b.d = 2\na.e = inf\n",
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_places_agree_with_tomllib(text: str) -> None:
    agree(text)


keys = st.text("ab.-_\"'\\ \n#=[é", min_size=0, max_size=4) | st.sampled_from(["a", "b", "c-1"])
scalars = (
    st.integers(-9, 10**6).map(str)
    | st.booleans().map(lambda b: str(b).lower())
    | st.text("a]}#,\"'\\ [{=", max_size=6).map(json.dumps)
    | st.text('a]}#,"\\ [{=', max_size=6).map(lambda s: f"'{s}'")
    | st.text("a]\n#,'\" ", max_size=6).map(
        lambda s: '"""' + s.replace('"""', "x").rstrip('"') + '"""'
    )
    | st.text("a]\n#,\\ ", max_size=6).map(lambda s: f"'''{s}'''")
    | st.sampled_from(["1979-05-27T07:32:00Z", "1979-05-27 07:32:00", "1e3", "nan", "0b101"])
)
blank = st.sampled_from(["", " ", "\t"])
gap = st.sampled_from(["", " ", "\n", " # ]}=\n", "\r\n"])


def key_text(name: str, bare: bool) -> str:
    if bare and name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
        return name
    return json.dumps(name)


@st.composite
def inline(draw: st.DrawFn, depth: int = 0) -> str:
    kind = draw(
        st.sampled_from(["scalar", "scalar", "array", "table"] if depth < 3 else ["scalar"])
    )
    if kind == "scalar":
        # nan is unequal to itself; keep it out of what is compared
        return draw(scalars.filter(lambda s: s != "nan"))
    if kind == "array":
        items = draw(st.lists(inline(depth + 1), max_size=3))
        comma = "," if items and draw(st.booleans()) else ""
        return "[" + ",".join(draw(gap) + i + draw(gap) for i in items) + comma + draw(gap) + "]"
    pairs = draw(table(depth + 1))
    return "{" + ",".join(draw(blank) + p + draw(blank) for p in pairs) + "}"


@st.composite
def table(draw: st.DrawFn, depth: int = 0) -> list[str]:
    pairs = []
    for name in draw(st.lists(keys, unique=True, max_size=3)):
        text = key_text(name, draw(st.booleans()))
        if draw(st.booleans()):
            text += draw(blank) + "." + draw(blank) + key_text(draw(keys), True)
        pairs.append(text + draw(blank) + "=" + draw(blank) + draw(inline(depth)))
    return pairs


@st.composite
def documents(draw: st.DrawFn) -> str:
    lines = draw(table())
    for name in draw(st.lists(st.sampled_from("pqrs"), unique=True, max_size=3)):
        if draw(st.booleans()):
            for _ in range(draw(st.integers(1, 2))):
                lines.append(f"[[ h.{name} ]] # array of tables")
                lines += draw(table())
                if draw(st.booleans()):
                    lines.append(f"[h.{name}.'sub table']")
                    lines += draw(table())
        else:
            lines.append(f"[h . {name}.x]")
            lines += draw(table())
    end = draw(st.sampled_from(["\n", "\r\n", "\n\n  "]))
    return end.join(lines)


def is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


@settings(derandomize=True, max_examples=120, deadline=None)
@given(documents().filter(is_toml))
def test_places_of_generated_documents(text: str) -> None:
    agree(text)


@settings(derandomize=True, max_examples=120, deadline=None)
@given(st.text("[]{}=.\"'\\\n #,a1"))
def test_any_text_ends(text: str) -> None:
    with contextlib.suppress(ScanError):
        places(text)


def test_equal_keys_are_found() -> None:
    text = "[io]\na = 1\nb = 2\n'a' = 3\n[x]\n[io]\n"
    first, second = places(text).twice
    assert first[0] == ("io", "a")
    assert text[slice(*first[1].value)] == "1"
    assert text[slice(*first[2].value)] == "3"
    assert second[0] == ("io",)
