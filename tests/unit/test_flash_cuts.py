"""What a cut leaves in a flash, and what MicroPython's littlefs makes of it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hil_tests.faults.flash import PAGE, SECTOR, TEARS, Flash, FlashOperation, cuts, torn
from hil_tests.faults.process_board import ProcessBoard, empty_flash, survey

LAW = settings(derandomize=True, max_examples=100, deadline=None)
PAGES = st.binary(min_size=PAGE, max_size=PAGE)


@LAW
@given(PAGES, PAGES, st.sampled_from(TEARS), st.integers(0, 99))
def test_a_torn_page_has_some_of_the_bits_that_were_to_be_cleared(
    before: bytes, data: bytes, tear: str, seed: int
) -> None:
    page = FlashOperation(0, PAGE, data)
    after = page.over(before)
    left = torn(page, before, tear, seed)
    assert left == torn(page, before, tear, seed)
    for a, b, c in zip(before, left, after, strict=True):
        assert b & ~a == 0, "programming sets no bit"
        assert c & ~b == 0, "and clears none that was not to be"
    if tear == "prefix":
        done = next(n for n in range(PAGE) if left[n:] == before[n:])
        assert left[:done] == after[:done]
    elif after != before:
        assert len({torn(page, before, tear, other) for other in range(9)}) > 1


@LAW
@given(st.integers(0, 255), st.sampled_from(TEARS), st.integers(0, 99))
def test_a_torn_sector_is_erased_in_front_or_holds_anything(
    value: int, tear: str, seed: int
) -> None:
    before = bytes((value,)) * SECTOR
    left = torn(FlashOperation(0, SECTOR, None), before, tear, seed)
    assert len(left) == SECTOR
    if tear == "prefix":
        done = len(left) - len(left.lstrip(b"\xff"))
        assert done > 0
        assert left[done:] == before[done:]
    else:
        assert len(set(left)) > 200


def test_every_operation_is_cut_before_in_and_after_it() -> None:
    operations = [
        FlashOperation(SECTOR, SECTOR, None),
        FlashOperation(SECTOR, PAGE, bytes(range(PAGE))),
    ]
    flash = Flash(bytes(2 * SECTOR))
    states = [(str(cut), flash.cut(cut)) for cut in cuts(flash, operations)]
    assert [name for name, _ in states] == [
        "0 before", "0 prefix", "0 weak", "1 before", "1 prefix", "1 weak", "2 before",
    ]  # fmt: skip
    assert states[0][1] == bytes(2 * SECTOR)
    assert states[3][1] == bytes(SECTOR) + b"\xff" * SECTOR
    assert states[6][1][SECTOR:] == bytes(range(PAGE)) + b"\xff" * (SECTOR - PAGE)
    assert all(state[:SECTOR] == bytes(SECTOR) for _, state in states)


def test_code_runs_on_a_process_as_on_a_board() -> None:
    with ProcessBoard(empty_flash()) as board:
        console = board.start("print('begun')\nwhile True:\n    pass\n")
        lines = console.lines()
        assert next(line for line in lines if line) == "begun"
        console.interrupt()
        assert "KeyboardInterrupt" in [line for line in lines if line][-1]
        assert board.execute("print(6 * 7)") == "42\n"


def test_littlefs_finds_the_old_file_or_the_new_one_and_damage_is_told() -> None:
    with ProcessBoard(empty_flash()) as board:
        board.put({"/main.py": b"1" * 3000})
        first = board.flash()
    with ProcessBoard(first) as board:
        board.put({"/new": b"2" * 3000})
        board.execute("import os\nos.rename('/new', '/main.py')")
        operations = board.operations
    flash = Flash(first)
    steps: list[object] = []
    for cut in cuts(flash, operations):
        if cut.tear is None and cut.number:
            steps.append(operations[cut.number - 1])
        steps.append(cut)
    found = survey(first, steps)  # type: ignore[arg-type]
    # The old one, the old one with "new" empty and whole beside it, the new one.
    trees = list(dict.fromkeys(one.tree for one in found))
    assert len(trees) == 4
    assert [trees.index(one.tree) for one in found[:: len(found) - 1]] == [0, 3]
    assert all(one.main and not one.error for one in found)

    damaged = bytearray(first)
    damaged[: 2 * SECTOR] = b"\x55" * (2 * SECTOR)
    (seen,) = survey(bytes(damaged), list(cuts(Flash(bytes(damaged)), [])))
    assert "OSError" in seen.error
    assert not seen.main
