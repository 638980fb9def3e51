"""Makes the slips that people make: one in a program that is right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Slip:
    """What was done, the text with it, and where: an offset in the new text."""

    kind: str
    text: str
    at: int


Change = Callable[["re.Match[str]"], str]


def drop_letter(m: re.Match[str]) -> str:
    word = m.group()
    return word[: len(word) // 2] + word[len(word) // 2 + 1 :]


def swap_letters(m: re.Match[str]) -> str:
    word, at = m.group(), len(m.group()) // 2
    return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]


def nothing(_: re.Match[str]) -> str:
    return ""


def becomes(text: str) -> Change:
    return lambda _: text


KINDS: dict[str, tuple[str, Change]] = {
    "missing ;": (r";(?=\s*\n)", nothing),
    ", for ;": (r";(?=\s*\n)", becomes(",")),
    ": for ;": (r";(?=\s*\n)", becomes(":")),
    "= for :=": (r"(?<=\w )(:=)(?= [^;\n]*;\n)", becomes("=")),
    "== for =": (r"(?<=\w )=(?= \w)", becomes("==")),
    "!= for <>": (r"<>", becomes("!=")),
    "&& for AND": (r"\bAND\b", becomes("&&")),
    "! for NOT": (r"\bNOT ", becomes("!")),
    "missing THEN": (r" THEN\b", nothing),
    "missing DO": (r" DO\b", nothing),
    "missing OF": (r"(?<=\w) OF(?=\s*\n)", nothing),
    "misspelt THEN": (r"\bTHEN\b", becomes("THNE")),
    "misspelt IF": (r"(?<=\n)( *)IF\b(?=[^\n]*THEN)", becomes("        FI")),
    "misspelt ELSE": (r"\bELSE\b(?=\s*\n)", becomes("ESLE")),
    "ELSEIF": (r"\bELSIF\b", becomes("ELSEIF")),
    "ELSE IF": (r"\bELSIF\b", becomes("ELSE IF")),
    "missing END_IF": (r"\bEND_IF;?", nothing),
    "ENDIF": (r"\bEND_IF\b", becomes("ENDIF")),
    "END IF": (r"\bEND_IF\b", becomes("END IF")),
    "END": (r"\bEND_IF\b", becomes("END")),
    "wrong END": (r"\bEND_IF\b", becomes("END_WHILE")),
    "missing END_CASE": (r"\bEND_CASE;?", nothing),
    "missing END_FOR": (r"\bEND_FOR;?", nothing),
    "missing END_VAR": (r"\bEND_VAR\b", nothing),
    "misspelt END_VAR": (r"\bEND_VAR\b", becomes("END_VRA")),
    "missing END_PROGRAM": (r"\bEND_PROGRAM\b", nothing),
    "missing END_FUNCTION_BLOCK": (r"\bEND_FUNCTION_BLOCK\b", nothing),
    "missing END_TYPE": (r"\bEND_TYPE\b", nothing),
    "missing (": (r"(?<=\w)\((?=\w)", nothing),
    "missing )": (r"\)(?=;)", nothing),
    "one ) more": (r"\)(?=;)", becomes("))")),
    "missing bracket": (r"(?<=\w)\](?=[. ])", nothing),
    "dropped letter": (r"(?<=\n {4})[a-z]\w{4,}(?= :=)", drop_letter),
    "swapped letters": (r"(?<=:= )[a-z]\w{4,}(?= AND|;)", swap_letters),
    "misspelt type": (r"(?<= : )(BOOL|INT|REAL|TIME|R_TRIG)\b", drop_letter),
    "misspelt parameter": (r"(?<=\()(IN|CLK|CU|PT)(?= :=)", becomes("INN")),
    "misspelt output": (r"(?<=\w\.)(Q|ET|CV)\b", becomes("Out")),
    "keyword as name": (r"(?<=\n    )[a-z]\w+(?= : )", becomes("exit")),
    "keyword as variable": (r"(?<=\n {4})[a-z]\w+(?= := )", becomes("to")),
    "missing declaration": (r"(?<=\n)    [a-z]\w+ : [^;\n]+;", nothing),
    "missing type": (r"(?<=\w :) (BOOL|INT|REAL|TIME)(?=;)", nothing),
    "missing : in VAR": (r"(?<=[a-z]) :(?= BOOL| INT| REAL)", nothing),
    "wrong label": (r"(?<=#)[a-z_]+(?=:)", becomes("elsewhere")),
    "missing : of label": (r"(?<=\w):(?=\s*\n)", nothing),
    "text for number": (r"(?<=:= )\d+(?=;)", becomes("'1'")),
    "number for BOOL": (r"(?<=:= )(TRUE|FALSE)(?=;\n)", becomes("2")),
    "number for TIME": (r"\bT#\w+", becomes("500")),
    "5s for T#5s": (r"\bT#(?=\d)", nothing),
    "missing number": (r"(?<=T#)\d+(?=m?s)", nothing),
    "missing operand": (r"(?<= AND )[a-z]\w*(?=;)", nothing),
    "missing operator": (r" AND (?=[a-z])", becomes(" ")),
    "doubled operator": (r" AND (?=[a-z])", becomes(" AND OR ")),
    "comment not closed": (r" \*\)", nothing),
    "half an address": (r"(?<=%[IQM]X\d)\.\d", becomes(".9")),
    "braces": (r" THEN(?=\s*\n)", becomes(" {")),
}


def slips(text: str, each: int) -> Iterator[Slip]:
    """Up to `each` slips of every kind, spread over the text."""
    for kind, (pattern, change) in KINDS.items():
        found = [m for m in re.finditer(pattern, text) if not in_comment(text, m.start())]
        step = max(len(found) // each, 1)
        for m in found[step // 2 :: step][:each]:
            yield Slip(kind, text[: m.start()] + change(m) + text[m.end() :], m.start())


def in_comment(text: str, at: int) -> bool:
    line = text.rfind("\n", 0, at) + 1
    return "//" in text[line:at]
