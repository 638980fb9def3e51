"""takt fmt: a golden for each rule, nothing but the layout changes, and what the command does."""

from __future__ import annotations

import ast
import io
import json
import os
import random
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.cli import main
from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.lexer import Token, lex, with_comments
from host_tools.compiler.parser import parse
from host_tools.compiler.source import Source
from host_tools.formatter import format_source
from host_tools.formatter.layout import ChangedMeaning, layout, same_tree
from tests.conformance.generate import collect
from tests.unit.work import calls

ROOT = Path(__file__).parents[2]


def formatted(text: str) -> str:
    """The text in the one layout; it must parse, and formatting it again must change nothing."""
    done = format_source(Source("test.st", text))
    assert done.text is not None, [d.message for d in done.diagnostics]
    assert format_source(Source("test.st", done.text)).text == done.text
    return done.text


def body(text: str) -> str:
    """Statements in the one layout, without the PROGRAM around them."""
    head, tail = "PROGRAM p\n", "END_PROGRAM\n"
    done = formatted(head + text.removesuffix("\n") + "\n" + tail)
    assert done.startswith(head)
    assert done.endswith(tail)
    return re.sub("^    ", "", done[len(head) : -len(tail)], flags=re.MULTILINE)


def laid_out(text: str) -> str:
    """As `formatted`, for what the parser does not know yet."""
    done = layout(Source("test.st", text))[1]
    assert layout(Source("test.st", done))[1] == done
    return done


# --- rules -----------------------------------------------------------------------------------


def _cases() -> dict[str, tuple[str, str, str]]:
    text = (ROOT / "tests" / "unit" / "fmt_cases.txt").read_text(encoding="utf-8")
    found: dict[str, tuple[str, str, str]] = {}
    for case in text.split("\n=== ")[1:]:
        head, _, rest = case.partition("\n")
        name, kind = head.split(": ")
        before, _, after = f"\n{rest}".partition("\n---\n")
        assert name not in found
        before = before[1:].replace("␍", "\r").replace("→", "\t")
        found[name] = (kind, before, after.removesuffix("\n") + "\n" * bool(after.strip()))
    return found


CASES = _cases()


@pytest.mark.parametrize("name", CASES)
def test_rule(name: str) -> None:
    kind, before, after = CASES[name]
    layouts = {"statements": body, "source": formatted, "layout": laid_out}
    assert layouts[kind](before) == after


LONG = "abcdefghijklmnopqrstuvwxyz"


def test_long_call_is_broken_at_its_own_commas() -> None:
    text = f"f({LONG}1 := g({LONG}, {LONG}), {LONG}2 := 1, b := 2, c := 3, d := 4);"
    assert body(text) == (
        f"f({LONG}1 := g({LONG}, {LONG}),\n    {LONG}2 := 1, b := 2, c := 3, d := 4);\n"
    )


def test_long_argument_is_broken_further() -> None:
    text = f"f(a := 1, b := g({LONG}, {LONG}, {LONG}, {LONG}), c := 2);"
    assert body(text) == (
        f"f(a := 1,\n    b := g({LONG}, {LONG}, {LONG},\n        {LONG}), c := 2);\n"
    )


def test_an_inner_list_is_indented_more() -> None:
    text = f"f(a := 1, b := g(\n{LONG}, h(1,\n2),\n3), c := i(1,\n2));"
    assert body(text) == (
        f"f(a := 1, b := g(\n    {LONG}, h(1,\n        2),\n    3), c := i(1,\n        2));\n"
    )


def test_long_expression_is_broken_before_its_weakest_operator() -> None:
    text = f"x := {LONG} AND {LONG} AND {LONG} OR {LONG};"
    assert body(text) == f"x := {LONG} AND {LONG} AND {LONG}\n    OR {LONG};\n"


def test_long_name_stays_whole() -> None:
    assert body(f"x := {LONG * 5};") == f"x := {LONG * 5};\n"


def test_a_comment_behind_does_not_break_a_line() -> None:
    text = f"x := {LONG} + {LONG};  // {LONG} {LONG} {LONG}\n"
    assert body(text) == text


# --- nothing but the layout changes ----------------------------------------------------------


def _strings(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    return [s for s in strings if isinstance(s, str) and re.search(r"\b(?:END_|;)", s)]


def _sources() -> dict[str, str]:
    """Every Structured Text of the repository, by its place: files, pages, and tests' programs,
    as they are and as statements."""
    found: dict[str, str] = {}
    for folder in ("examples", "host_tools", "tests"):
        for path in sorted((ROOT / folder).rglob("*.st")):
            if path.parent.name == "generated":
                continue  # thousands of lines that look alike
            found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs").rglob("*.md")):
        blocks = re.findall(r"```st\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        found |= {f"{path.relative_to(ROOT)} {n}": text for n, text in enumerate(blocks)}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path == Path(__file__):
            continue
        for n, text in enumerate(_strings(path)):
            found[f"{path.relative_to(ROOT)} {n}"] = text
            found[f"{path.relative_to(ROOT)} {n} body"] = f"PROGRAM p\n{text}\nEND_PROGRAM"
    return found


def _parses(text: str) -> bool:
    reporter = Reporter()
    unit = parse(Source("test.st", text), reporter)
    return not reporter.diagnostics and bool(unit.declarations)


SOURCES = {name: text for name, text in _sources().items() if _parses(text)}
FILES = [name for name in SOURCES if name.endswith(".st")]


def test_there_are_sources() -> None:
    assert len(FILES) > 10
    assert len(SOURCES) > 250


def _comments(text: str) -> list[str]:
    source = Source("test.st", text)
    tokens = with_comments(source, lex(source, Reporter()))
    return [" ".join(t.text.split()) for t in tokens if t.kind in ("comment", "pragma")]


def _keeps_everything(text: str) -> str:
    done = formatted(text)
    reporter = Reporter()
    before = parse(Source("test.st", text), reporter)
    after = parse(Source("test.st", done), reporter)
    assert not reporter.diagnostics
    assert same_tree(before, after)
    assert _comments(done) == _comments(text)
    assert not re.search(r"[ \t]\n|\n\n\n|\A\n|\n\n\Z|\r", done)
    return done


def test_every_source_parses_to_the_same() -> None:
    for text in SOURCES.values():
        _keeps_everything(text)


def test_files_of_the_repository_parse_to_the_very_same() -> None:
    """They are written in the spelling that the formatter would give them."""
    for name in FILES:
        before = parse(Source(name, SOURCES[name]), Reporter())
        assert parse(Source(name, formatted(SOURCES[name])), Reporter()) == before


def test_the_examples_have_the_layout() -> None:
    examples = [name for name in FILES if name.startswith("examples")]
    assert examples
    for name in examples:
        assert formatted(SOURCES[name]) == SOURCES[name]


def test_generated_programs() -> None:
    for made in collect(5, lreal=True):
        _keeps_everything(made.text)


def test_a_change_of_meaning_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the layout does wrong, it does not get out."""
    right = "PROGRAM p\n    (* c *) a := b + 1;\nEND_PROGRAM\n"
    for wrong in (
        right.replace("+", "-"),
        right.replace("1", "2"),
        right.replace("(* c *) ", ""),
        right.replace("(* c *)", "(* d *)"),
        right.replace(";", ""),
        right.replace(";", "; RETURN;"),
    ):
        monkeypatch.setattr("host_tools.formatter.layout.text_of", lambda _, text=wrong: text)
        with pytest.raises(ChangedMeaning):
            format_source(Source("test.st", right))


def _tokens(text: str) -> list[Token]:
    source = Source("test.st", text)
    return with_comments(source, lex(source, Reporter()))


_BLANKS = (" ", "  ", "\n", "\t", "\n\n\n", " \r\n ", "\n        ", "")
_COMMENTS = ("(* a *)", "// b\n", "/* c\n   d */", "(* (* e *) x := 1; *)", "//\n", "\n// f\n")


def _shaken(tokens: list[Token], rng: random.Random, comments: float) -> str:
    """The same tokens with other blanks between them, and more comments."""
    text = ""
    for before, token in zip([None, *tokens], tokens, strict=False):
        gap = rng.choice(_BLANKS)
        while rng.random() < comments:
            gap += " " * (text[-1:] in tuple("/(*")) + rng.choice(_COMMENTS) + rng.choice(_BLANKS)
        glued = before is not None and before.end == token.start
        is_operator = token.kind == "=" and text.upper().endswith(("S", "R", "REF"))
        if before is not None and before.text.startswith("//"):
            gap = "\n" + gap
        # `S=` is written together; a base type after values stands on their line.
        if is_operator and glued:
            gap = ""
        elif (before is not None and before.kind == ")" and token.kind == "name") or (
            not gap and not (glued and before is not None)
        ):
            gap = " "
        text += gap + token.text
    return text


SHORT = [text for text in SOURCES.values() if len(text) < 2500]


@given(st.sampled_from(SHORT), st.integers(0, 1 << 32), st.sampled_from([0.0, 0.02, 0.2]))
@settings(derandomize=True, max_examples=120, deadline=None)
def test_blanks_and_comments_anywhere(text: str, seed: int, comments: float) -> None:
    _keeps_everything(_shaken(_tokens(text), random.Random(seed), comments))


@given(st.sampled_from(SHORT), st.integers(0, 1 << 32))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_without_ends_of_line_in_statements_the_layout_is_one(text: str, seed: int) -> None:
    """Blanks alone never matter: only ends of line and comments are kept."""
    rng = random.Random(seed)
    tokens = [t for t in _tokens(text) if t.kind not in ("comment", "pragma")]
    once, again = (_one_line(tokens, rng) for _ in range(2))
    assert formatted(once) == formatted(again)


def _one_line(tokens: list[Token], rng: random.Random) -> str:
    text = ""
    for before, token in zip([None, *tokens], tokens, strict=False):
        glued = before is not None and before.end == token.start
        text += rng.choice(["", " ", "\t"] if glued and token.kind != "=" else [" ", "   "])
        if glued and token.kind == "=" and text.rstrip().upper().endswith(("S", "R", "REF")):
            text = text.rstrip()
        text += token.text
    return text


def _work(text: str) -> int:
    return calls(lambda: layout(Source("test.st", text)))


def test_the_work_grows_with_the_text() -> None:
    text = SOURCES["examples/tank/tank.st"].split("CONFIGURATION")[0]
    assert _work(text * 8) < 9 * _work(text)
    table = "VAR_GLOBAL a : ARRAY[0..9] OF INT := [" + "f(1, a + b), " * 100 + "2]; END_VAR"
    assert _work(table.replace("f(1, a + b), ", "f(1, a + b), " * 8)) < 9 * _work(table)


# --- the command -----------------------------------------------------------------------------

UGLY = "PROGRAM main\nVAR x:INT;END_VAR\nx:=x+1;\nEND_PROGRAM"
NICE = "PROGRAM main\nVAR\n    x : INT;\nEND_VAR\n    x := x + 1;\nEND_PROGRAM\n"
WRONG = "PROGRAM main\nIF x THEN\nEND_PROGRAM\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.st").write_bytes(text.encode())


def test_it_formats_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(a=UGLY, b=NICE)
    assert main(["fmt", "a.st", "b.st"]) == 0
    assert Path("a.st").read_bytes() == NICE.encode()
    out = capsys.readouterr().out
    assert out == "formatted a.st\n2 files: 1 formatted, 1 as it should be\n"
    assert sorted(p.name for p in here.iterdir()) == ["a.st", "b.st"]


def test_it_formats_a_project(here: Path) -> None:
    assert main(["new", "demo"]) == 0
    sources = list(Path("demo").rglob("*.st"))
    assert sources
    kept = [path.read_bytes() for path in sources]
    for path in sources:
        path.write_bytes(path.read_bytes().replace(b"\nEND", b"\nend").replace(b"\n", b"\r\n"))
    assert main(["fmt", "--check", "demo"]) == 1
    assert main(["fmt", "demo"]) == 0
    assert [path.read_bytes() for path in sources] == kept  # `new` writes the one layout
    assert main(["fmt", "--check", "demo"]) == 0


def test_check_changes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(a=UGLY, b=NICE)
    assert main(["fmt", "--check", "a.st", "b.st"]) == 1
    assert Path("a.st").read_bytes() == UGLY.encode()
    out = capsys.readouterr().out
    assert out == "would format a.st\n2 files: 1 to format, 1 as it should be\n"
    assert main(["fmt", "--check", "b.st"]) == 0


def test_diff_changes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(a=UGLY)
    assert main(["fmt", "--diff", "a.st"]) == 0
    assert main(["fmt", "--diff", "--check", "a.st"]) == 1
    assert Path("a.st").read_bytes() == UGLY.encode()
    out = capsys.readouterr().out
    assert "-x:=x+1;\n" in out
    assert "+    x := x + 1;\n" in out
    assert "-END_PROGRAM\n\\ No newline at end of file\n" in out


def test_a_file_with_errors_is_left_alone_and_the_others_are_not(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(a=WRONG, b=UGLY)
    before = Path("a.st").stat()
    assert main(["fmt", "a.st", "b.st"]) == 1
    assert Path("a.st").read_text() == WRONG
    assert Path("a.st").stat() == before
    assert Path("b.st").read_text() == NICE
    out, err = capsys.readouterr()
    assert "error[E0103]" in err
    assert "a.st:" in err
    assert out.endswith("2 files: 1 formatted, 1 with errors, left alone\n")


def test_bytes_that_are_no_text_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = b"// l\xf6sen\n" + UGLY.encode()  # Latin-1, in a comment
    Path("a.st").write_bytes(content)
    assert main(["fmt", "a.st"]) == 1
    assert Path("a.st").read_bytes() == content
    err = capsys.readouterr().err
    assert "not valid UTF-8 here: byte 16#F6" in err
    assert "a.st:1:5" in err


def test_a_byte_order_mark_goes(here: Path) -> None:
    Path("a.st").write_bytes(b"\xef\xbb\xbf" + NICE.encode())
    assert main(["fmt", "--check", "a.st"]) == 1
    assert main(["fmt", "a.st"]) == 0
    assert Path("a.st").read_bytes() == NICE.encode()


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(a=UGLY, b=NICE, c=WRONG)
    assert main(["fmt", "--json", "--check", "--diff", "a.st", "b.st"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"] is False
    assert [(f["file"], f["changed"], f["written"]) for f in shown["files"]] == [
        ("a.st", True, False),
        ("b.st", False, False),
    ]
    assert shown["files"][0]["diff"].startswith("--- a.st")
    assert main(["fmt", "--json", "a.st", "c.st"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["files"][0]["written"] is True
    assert [d["code"] for d in shown["diagnostics"]] == ["E0103"]
    assert main(["fmt", "--json", "a.st"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


@pytest.mark.skipif(os.name != "posix", reason="modes and links of files")
def test_mode_and_links_stay(here: Path) -> None:
    write(a=UGLY)
    Path("a.st").chmod(0o640)
    Path("link.st").symlink_to("a.st")
    assert main(["fmt", "link.st"]) == 0
    assert Path("link.st").is_symlink()
    assert Path("a.st").read_text() == NICE
    assert stat.S_IMODE(Path("a.st").stat().st_mode) == 0o640


def test_a_file_that_may_not_be_written_stays(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(a=UGLY)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
    assert main(["fmt", "a.st"]) == 1
    assert "cannot write 'a.st': the file is read-only" in capsys.readouterr().err
    assert Path("a.st").read_text() == UGLY


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(a=UGLY)

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["fmt", "a.st"]) == 1
    assert "cannot write 'a.st': No space left on device" in capsys.readouterr().err
    assert [p.name for p in here.iterdir()] == ["a.st"]
    assert Path("a.st").read_text() == UGLY


def piped(text: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "host_tools.cli", "fmt", "-", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    return subprocess.run(command, input=text, capture_output=True, env=environment, check=False)


def test_standard_input(here: Path) -> None:
    text = "// µA\r\n" + UGLY
    done = piped(text.encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, f"// µA\n{NICE}".encode(), b"")
    done = piped(WRONG.encode())
    assert done.returncode == 1
    assert b"standard input:" in done.stderr
    assert WRONG.encode() not in done.stdout


def test_standard_input_checked(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(UGLY.encode())))
    assert main(["fmt", "-", "--check"]) == 1
    assert "would format standard input" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(UGLY.encode())))
    assert main(["fmt", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["text"] == NICE


def test_wrong_usage(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(a=NICE)
    assert main(["fmt", "-", "a.st"]) == 2
    assert main(["fmt", "b.st"]) == 2
    assert "did you mean 'a.st'?" in capsys.readouterr().err
    assert main(["fmt"]) == 2
