"""Bundles and slots: what is damaged is refused with a sentence, a cut leaves a valid slot."""

import copy
import hashlib
import io
import json
import os

import pytest
from controller_support import IMAGE_SIZE, bundle_bytes, manifest, micropython, packed, task
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import bundle
from controller.bundle import BundleError

SOURCE = """
def attach(image):
    global data
    data = image
def scan():
    data[1100] += 1
TASKS = (scan,)
"""
INITIAL = (1101).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
PARTS = {"program.py": SOURCE.encode(), "initial": INITIAL, "layout.json": b"{}"}
GOOD = bundle_bytes([task()], SOURCE, INITIAL)


@pytest.fixture
def root(tmp_path):
    """A device's folder and a way to put bundles beside it."""
    folder = tmp_path / "takt"
    folder.mkdir()
    return folder


def put(root, data, slot="a", skip=("layout.json",)):
    path = root.parent / "plant.taktb"
    path.write_bytes(data)
    return bundle.stage(str(path), str(root / slot), skip)


def verify(data):
    return bundle.verify(io.BytesIO(data))


def test_a_good_bundle_is_staged_and_loaded(root):
    assert verify(GOOD)["name"] == "plant"
    put(root, GOOD)
    assert sorted(os.listdir(root / "a")) == ["initial", "manifest.json", "program.py"]
    found, image, program = bundle.load(str(root / "a"))
    assert found["tasks"][0]["interval_ns"] == 10_000_000
    assert image.data[1101:1104] == b"abc"
    assert image.data[8:16] == bytes(range(8))
    program.attach(image.data)
    program.TASKS[0]()
    assert image.data[1100] == 1


def test_two_loaded_programs_are_apart(root):
    put(root, GOOD)
    put(root, bundle_bytes([task()], SOURCE.replace("+= 1", "+= 2"), INITIAL), "b")
    programs = [bundle.load(str(root / slot))[1:] for slot in "ab"]
    for image, program in programs:
        program.attach(image.data)
    for step, (image, program) in enumerate(programs, 1):
        program.TASKS[0]()
        assert image.data[1100] == step


@pytest.mark.parametrize("size", [*range(0, len(GOOD), 97), len(GOOD) - 1])
def test_a_truncated_bundle_is_refused(size):
    with pytest.raises(BundleError, match=r"again|takt build"):
        verify(GOOD[:size])


def test_bytes_after_the_last_part_are_refused():
    with pytest.raises(BundleError, match="after its last part"):
        verify(GOOD + b"x")


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD) * 8 - 1))
def test_a_flipped_bit_is_found_or_harmless(bit):
    data = bytearray(GOOD)
    data[bit >> 3] ^= 1 << (bit & 7)
    try:
        found = verify(bytes(data))
    except BundleError:
        return
    # Only within the manifest's own values can it pass; no hash covers those yet.
    assert bit >> 3 < len(GOOD) - sum(map(len, PARTS.values()))
    assert [part["size"] for part in found["parts"]] == [len(d) for d in PARTS.values()]


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_garbage_is_refused(data, headed):
    with pytest.raises(BundleError):
        verify(bundle.MAGIC + len(data).to_bytes(4, "little") + data if headed else data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def paths(value, path=()):
    """The paths of all values inside a JSON value."""
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from paths(inner, (*path, key))


RICH = manifest(
    [task(single=[1100, 3], watchdog_ms=5)],
    PARTS,
    safe=[[1032, 0, "b1", True]],
    servers={"modbus-tcp": {}},
    hardware_watchdog_ms=250,
)


@settings(derandomize=True, max_examples=600, deadline=None)
@given(st.data())
def test_any_wrong_value_in_a_manifest_is_refused_or_harmless(data):
    changed = copy.deepcopy(RICH)
    path = data.draw(st.sampled_from([p for p in paths(RICH) if p]))
    at = changed
    for key in path[:-1]:
        at = at[key]
    if data.draw(st.booleans()):
        at[path[-1]] = data.draw(JSON)
    else:
        del at[path[-1]]
    try:
        found = verify(packed(changed, PARTS))
    except BundleError:
        return
    # What passes has all that the runtime relies on.
    size = found["image_size"]
    for row in found["tasks"]:
        assert row["interval_ns"] >= 0
        for offset, length in row["inputs"] + row["outputs"]:
            assert 0 <= offset <= offset + length <= size


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/b",
        "/etc/x",
        "",
        ".hidden",
        "..",
        "manifest.json",
        "Manifest.new",
        "x" * 49,
        "a\0",
    ],
)
def test_a_part_name_that_leaves_the_folder_is_refused(root, name):
    parts = PARTS | {name: b"boo"}
    with pytest.raises(BundleError, match="cannot be the name of a part"):
        put(root, packed(manifest([task()], parts), parts))
    assert list(root.iterdir()) == []


def test_huge_lengths_are_refused_before_anything_is_read():
    class File(io.BytesIO):
        asked = 0

        def read(self, n=-1):
            self.asked = max(self.asked, n)
            return super().read(n)

    file = File(bundle.MAGIC + b"\xff\xff\xff\xff{}")
    with pytest.raises(BundleError, match="longer than 65536 bytes"):
        bundle.verify(file)
    assert file.asked < 1000
    huge = manifest([task()], PARTS)
    huge["parts"][0]["size"] = 1 << 40
    with pytest.raises(BundleError, match="no sensible size"):
        verify(packed(huge, PARTS))
    huge = manifest([task()], PARTS, image_size=1 << 40)
    with pytest.raises(BundleError, match="no sensible image_size"):
        verify(packed(huge, PARTS))


def test_deeply_nested_json_is_refused():
    text = b"[" * 60000
    with pytest.raises(BundleError, match="damaged"):
        verify(bundle.MAGIC + len(text).to_bytes(4, "little") + text)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"format": 2}, "same version of Takt"),
        ({"tasks": []}, "no tasks"),
        ({"image_size": 100}, "too small for its tasks"),
        ({"layout": "xyz"}, "no layout hash"),
        ({"state": [0, IMAGE_SIZE + 1]}, "a range of state outside the image"),
        ({"mailbox": 512}, "no sensible size of the mailbox"),
        ({"mailbox": [128, 0]}, "no sensible size of the mailbox"),
        ({"safe": [[IMAGE_SIZE, None, "u8", 0]]}, "safe value outside the image"),
        ({"safe": [[1032, None, "x9", 0]]}, "safe value of no known kind"),
        ({"safe": [[1032, None, "u8", 256]]}, "safe value of no known kind"),
    ],
)
def test_manifests_that_do_not_fit_are_refused(change, text):
    with pytest.raises(BundleError, match=text):
        verify(packed(manifest([task()], PARTS, **change), PARTS))


def test_staging_is_cut_anywhere_and_the_slot_is_not_valid(root, monkeypatch):
    put(root, GOOD)
    path = root.parent / "plant.taktb"
    other = bundle_bytes([task()], SOURCE + "# longer\n" * 300, INITIAL)
    path.write_bytes(other)
    steps = at = 0

    class Cut(Exception):
        pass

    # Every effect on the file system counts as one step; the power goes at step `at`.
    def counted(function):
        def call(*arguments, **more):
            nonlocal steps
            steps += 1
            if steps == at:
                raise Cut
            return function(*arguments, **more)

        return call

    real_open = open

    def opened(name, mode="r"):
        file = real_open(name, mode)
        if "w" in mode:
            file.write = counted(file.write)
        return file

    outcomes = set()
    for at in range(1, 100):  # noqa: B007 - counted() reads it
        monkeypatch.undo()
        put(root, GOOD)
        path.write_bytes(other)
        monkeypatch.setattr(bundle, "open", counted(opened), raising=False)
        for name in ("remove", "rename", "mkdir"):
            monkeypatch.setattr(bundle.os, name, counted(getattr(os, name)))
        steps = 0
        try:
            bundle.stage(str(path), str(root / "a"), ("layout.json",))
        except Cut:
            done = False
        else:
            done = True
        monkeypatch.undo()
        try:
            found = bundle.check(str(root / "a"))
        except BundleError:
            outcomes.add("invalid")
        else:
            size = found["parts"][0]["size"]
            outcomes.add("old" if size == len(SOURCE) else "new")
            assert (root / "a" / "program.py").stat().st_size == size
        if done:
            break
    assert done
    assert outcomes == {"old", "invalid", "new"}


def test_a_slot_whose_files_changed_is_refused(root):
    put(root, GOOD)
    (root / "a" / "initial").write_bytes(b"x" * len(INITIAL))
    with pytest.raises(BundleError, match=r"initial is damaged \(SHA-256 differs\)"):
        bundle.load(str(root / "a"))
    (root / "a" / "initial").write_bytes(INITIAL + b"x")
    with pytest.raises(BundleError, match="too long"):
        bundle.load(str(root / "a"))
    (root / "a" / "initial").unlink()
    with pytest.raises(BundleError, match="lacks part initial"):
        bundle.load(str(root / "a"))
    (root / "a" / "manifest.json").write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="deploy it again"):
        bundle.load(str(root / "a"))


@pytest.mark.parametrize(
    ("source", "initial", "text"),
    [
        ("1 +", INITIAL, "cannot be loaded"),
        ("raise ZeroDivisionError", INITIAL, "cannot be loaded"),
        ("pass", INITIAL, "cannot be loaded"),
        (SOURCE + "TASKS = ()", INITIAL, "differ in the number of tasks"),
        (SOURCE, INITIAL[:-1], "in the middle of a run"),
    ],
)
def test_programs_that_cannot_work_are_refused(root, source, initial, text):
    put(root, bundle_bytes([task()], source, initial))
    with pytest.raises(BundleError, match=text):
        bundle.load(str(root / "a"))


# Slots.


def test_the_active_slot_changes_by_activating_a_valid_one(root):
    assert bundle.active(str(root)) is None
    assert bundle.idle(str(root)) == "a"
    put(root, GOOD)
    bundle.activate(str(root), "a")
    assert bundle.active(str(root)) == "a"
    assert bundle.idle(str(root)) == "b"
    with pytest.raises(BundleError, match="deploy it again"):
        bundle.activate(str(root), "b")
    assert bundle.active(str(root)) == "a"
    put(root, GOOD, "b")
    bundle.activate(str(root), "b")
    assert bundle.active(str(root)) == "b"
    assert bundle.check(str(root / "a"))


def test_a_trial_belongs_to_the_active_slot(root):
    put(root, GOOD)
    put(root, GOOD, "b")
    bundle.activate(str(root), "a")
    assert bundle.trial(str(root)) == "new"
    bundle.begin_trial(str(root))
    assert bundle.trial(str(root)) == "started"
    bundle.confirm(str(root))
    assert bundle.trial(str(root)) is None
    # The power went between the two files of activating b.
    (root / "trial").write_text("b new")
    assert bundle.trial(str(root)) is None
    bundle.activate(str(root), "b", trial=False)
    assert (bundle.active(str(root)), bundle.trial(str(root))) == ("b", None)


@pytest.mark.parametrize("text", ["", "c", "\0\xff", "a" * 40])
def test_a_damaged_pointer_is_none(root, text):
    (root / "active").write_text(text)
    assert bundle.active(str(root)) is None


def test_a_pointer_cut_between_remove_and_rename_is_found(root):
    (root / "active.new").write_text("b")
    assert bundle.active(str(root)) == "b"


def test_micropython_stages_loads_and_refuses(root):
    good, bad = root / "good.taktb", root / "bad.taktb"
    data = bundle_bytes([task()], SOURCE, INITIAL, compiled=True)
    good.write_bytes(data)
    bad.write_bytes(data[:-20] + bytes(20))
    nested = root / "nested.taktb"
    text = b"[" * 60000
    nested.write_bytes(bundle.MAGIC + len(text).to_bytes(4, "little") + text)
    script = f"""
from controller import bundle
root = {str(root)!r}
bundle.stage(root + "/good.taktb", root + "/a")
bundle.activate(root, "a")
manifest, image, program = bundle.load(root + "/" + bundle.active(root))
program.attach(image.data)
program.TASKS[0]()
print(bytes(image.data[1100:1104]), bundle.active(root), bundle.idle(root))
for name in ("bad", "nested", "none"):
    try:
        bundle.stage(root + "/" + name + ".taktb", root + "/b")
        bundle.load(root + "/b")
    except (bundle.BundleError, OSError) as error:
        print(error)
"""
    lines = micropython("-c", script).splitlines()
    assert lines[0] == "b'\\x01abc' a b"
    assert "SHA-256 differs" in lines[1]
    assert "manifest is damaged" in lines[2]
    assert "ENOENT" in lines[3]
    assert sorted(os.listdir(root / "a")) == ["initial", "manifest.json", "program.mpy"]
    assert "manifest.json" not in os.listdir(root / "b")
    digest = hashlib.sha256((root / "a" / "program.mpy").read_bytes()).hexdigest()
    staged = json.loads((root / "a" / "manifest.json").read_text())
    assert digest in [part["sha256"] for part in staged["parts"]]


SCATTERED = """
import gc
from controller import bundle
hog = []
try:
    while True:
        hog.append(bytearray(2000))
except MemoryError:
    for k in range(0, len(hog), 2):
        hog[k] = None
gc.collect()
print(bundle.check({slot!r})["name"])
"""


def test_a_slot_is_checked_in_memory_that_is_in_pieces(root):
    put(root, GOOD)
    text = SCATTERED.format(slot=str(root / "a"))
    assert micropython("-X", "heapsize=600k", "-c", text) == "plant\n"
