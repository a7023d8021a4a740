"""JSON captures of others: their objects are found however they are laid out, and their times in any unit."""

import json
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.captures import json_records
from recorder.captures.formats import CapturedFrame, CaptureError, read_capture
from recorder.captures.json_records import JsonText, json_texts
from recorder.settings import CaptureForm
from tests.endurance.forms import cases
from tests.support.commands import booktape, booktape_process, json_of
from tests.support.constants import BTC, SAMPLE
from tests.support.rows import read_rows
from tests.support.tapes import snapshot, update

FORM = CaptureForm("json", "ts", "msg")
TIME = 1786309548629008001

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
records = st.lists(st.dictionaries(st.text(), json_values), max_size=5)


def laid_out(values: list[Any], layout: str, *, ascii_only: bool) -> str:
    """Return JSON values as a recorder would write them."""
    texts = [json.dumps(value, ensure_ascii=ascii_only) for value in values]
    pretty = [json.dumps(value, indent=2, ensure_ascii=ascii_only) for value in values]
    return {
        "lines": "".join(text + "\n" for text in texts),
        "array": "[" + ", ".join(texts) + "]",
        "array of lines": "[\n" + ",\n".join(texts) + "\n]\n",
        "pretty": "\r\n".join(pretty),
        "pretty array": json.dumps(values, indent=1, ensure_ascii=ascii_only),
        "together": "".join(texts),
    }[layout]


LAYOUTS = ("lines", "array", "array of lines", "pretty", "pretty array", "together")


@settings(max_examples=cases(400, 40))
@given(records, st.sampled_from(LAYOUTS), st.booleans(), st.integers(1, 40))
def test_every_layout_gives_the_values(values: list[Any], layout: str, ascii_only: bool, size: int) -> None:
    """Whatever the layout, and however the file is cut into reads, the values come one by one, in order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "_READ_CHARACTERS", size)
        content = laid_out(values, layout, ascii_only=ascii_only).encode("utf-8", "surrogatepass")
        content = content.decode("utf-8", "replace").encode()
        expected = json.loads(laid_out(values, "array", ascii_only=ascii_only).encode("utf-8", "replace"))
        found = list(json_texts(BytesIO(content), 10**6))
    assert [json.loads(each.text) for each in found] == expected
    assert not any(each.is_torn for each in found)
    lines = content.decode().split("\n")
    for each in found:  # a value begins on the line that is told
        assert each.text.split("\n")[0] in lines[each.line - 1] + "\n"


def read(path: Path, content: str, form: CaptureForm = FORM, **options: Any) -> list[CapturedFrame]:
    """Return the frames of a file with some content."""
    path.write_text(content, encoding="utf-8")
    return list(read_capture(path, form, **options))


@pytest.mark.parametrize(
    ("time", "unit", "expected"),
    [
        ("1786309548", "seconds", 1786309548 * 10**9),
        ("1786309548.629008001", "seconds", TIME),
        ('"1786309548.629008001"', "seconds", TIME),
        ("1.786309548629008001e9", "seconds", TIME),
        ("1786309548629", "milliseconds", TIME // 10**6 * 10**6),
        ("1786309548629.008001", "milliseconds", TIME),
        ("1786309548629008", "microseconds", TIME // 1000 * 1000),
        ("1786309548629008001", "nanoseconds", TIME),
        ('"2026-08-09T21:05:48.629008001Z"', "ISO times", TIME),
        ('"2026-08-09T21:05:48.629008001+00:00"', "ISO times, UTC if they name no zone", TIME),
        ('"2026-08-09T23:35:48.629008001+02:30"', "ISO times, UTC if they name no zone", TIME),
        ('"2026-08-09 21:05:48.629008001"', "ISO times, UTC if they name no zone", TIME),
    ],
)
def test_units(tmp_path: Path, time: str, unit: str, expected: int) -> None:
    """The first time tells the unit, which is said; no digit is lost to a binary fraction."""
    units: list[str] = []
    content = f'{{"msg": "a", "ts": {time}}}\n' * 2
    found = read(tmp_path / "capture", content, on_unit=units.append)
    assert found == [CapturedFrame(expected, "a")] * 2
    assert units == [unit]


def test_a_frame_that_is_an_object_keeps_its_text(tmp_path: Path) -> None:
    """Digits and blanks of a frame stay as they were written: the price 1.10 is not 1.1."""
    frame = '{"price" : 1.10,  "e": "\\u00e9"}'
    content = f'[{{"ts": 1, "msg": {frame}}}, {{"ts": 2, "msg": {json.dumps(frame)}}}]'
    assert [each.frame for each in read(tmp_path / "capture", content)] == [frame, frame]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ('[{"ts": 1, "msg": "a"},\n{"ts": 2}]', ("line 2", "it has 'ts'", "--frame-field")),
        ('{"time": 1, "text": "a"}', ("line 1", "'time', 'text'", "--time-field")),
        ('{"ts": 1, "msg": "a"}\n\n{"ts": "soon", "msg": "a"}', ("line 3", "'ts' has to be", "since 1970")),
        ('{"ts": 1, "msg": "a"} {"ts": -1, "msg": "a"}', ("line 1",)),
        ('{"ts": 1, "msg": 3}', ("line 1",)),
        ('{"ts": true, "msg": "a"}', ("line 1",)),
        ('{"ts": "2026-08-09", "msg": "a"}', ("line 1",)),  # a day is no time of receipt
        ('{"ts": "2026-08-09T21:05:48+00:00", "msg": "a"}\n{"ts": 1, "msg": "a"}', ("line 2",)),
        ('{"ts": "+21:05", "msg": "a"}', ("line 1",)),
        ('{"ts": 1, "msg": "a"}\n{"ts": 1786309548629008001, "msg": "a"}', ("line 2",)),  # another unit
        ('{"ts": 1, "msg": "a"}\nnonsense and more of it, which is no JSON', ("line 2", "nonsense")),
        ("[1, 2]", ("line 1", "'1'")),
        ('{"ts":' * 100_000, ("line 1 is not of the json format", "...'")),
        ('{"ts": 1, "msg": "a"}\n{"ts": 2, "msg": "b', ("line 2", "is torn", "--torn-end")),
        ('[{"ts": 1, "msg": "a"}, {"ts": 2, ', ("line 1", "is torn", "--torn-end")),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, content: str, parts: tuple[str, ...]) -> None:
    """The error names file and line; nothing is guessed."""
    with pytest.raises(CaptureError) as caught:
        read(tmp_path / "capture.json", content)
    assert all(part in str(caught.value) for part in ("capture.json", *parts)), caught.value


def test_a_torn_end_is_left_out(tmp_path: Path) -> None:
    """With the option, the whole records before it are read, and its bytes are told."""
    torn: list[int] = []
    end = '{"ts": 2, "msg": "é'
    assert read(tmp_path / "capture", f'[{{"ts": 1, "msg": "a"}},\n{end}', on_torn=torn.append) == [
        CapturedFrame(10**9, "a")
    ]
    assert torn == [len(end.encode())]


def test_a_value_that_is_too_long_is_refused() -> None:
    """A file that opens a text and never ends it does not fill the memory."""
    file = BytesIO(b'{"ts": 1, "msg": "' + b"x" * 1_000_000)
    (found,) = json_texts(file, 100_000)
    assert not found.is_torn
    assert len(found.text) < 500_000
    assert list(json_texts(BytesIO(b" \n "), 10)) == []
    assert found.line == JsonText(1, "", is_torn=False).line


def test_the_command(tmp_path: Path) -> None:
    """Files by a pattern, an array and what is piped in make the tape that jsonl makes; the unit is said."""
    texts = [snapshot(BTC), *(update(BTC, ("buy", str(100 - n), "1")) for n in range(20))]
    random = Random(1)
    times = sorted(random.sample(range(10**6), len(texts)))
    rows: list[dict[str, Any]] = [
        {"at": TIME // 1000 + time, "text": text} for time, text in zip(times, texts, strict=True)
    ]
    (tmp_path / "a-1.json").write_text(json.dumps(rows[:10], indent=2), encoding="utf-8")
    (tmp_path / "a-2.json").write_text(json.dumps(rows[10:]), encoding="utf-8")
    (tmp_path / "plain.jsonl").write_text(
        "".join(json.dumps({"recv_ns": row["at"] * 1000, "frame": row["text"]}) + "\n" for row in rows),
        encoding="utf-8",
    )
    fields = ("--time-field", "at", "--frame-field", "text")
    done = booktape("import", tmp_path / "a-*.json", "-o", tmp_path / "a", *fields)
    assert done.returncode == 0, done.stderr
    assert "read 'at' as microseconds" in done.stderr
    booktape("import", tmp_path / "plain.jsonl", "-o", tmp_path / "plain")
    with (tmp_path / "a-2.json").open() as second:
        assert booktape("import", tmp_path / "a-1.json", "-o", tmp_path / "b", *fields).returncode == 0
        piped = booktape_process("import", "-", "-o", tmp_path / "b", *fields, stdin=second)
    assert piped.returncode == 0, piped.stderr
    expected = [(row.recv_time, row.payload) for row in read_rows(tmp_path / "plain") if row.kind == "frame"]
    for tape in ("a", "b"):
        found = read_rows(tmp_path / tape)
        assert [(row.recv_time, row.payload) for row in found if row.kind == "frame"] == expected
    whole = json_of("import", tmp_path / "plain.jsonl", "-o", tmp_path / "c")["products"][BTC]
    assert whole["summaries"] == len(texts)


def test_a_capture_without_a_snapshot_says_so(tmp_path: Path) -> None:
    """It is imported whole, its updates change no book, and a line tells why."""
    rows = [json.dumps({"ts": TIME + n, "msg": update(BTC)}) for n in range(3)]
    (tmp_path / "capture.json").write_text("\n".join(rows), encoding="utf-8")
    fields = ("--time-field", "ts", "--frame-field", "msg")
    done = booktape("import", tmp_path / "capture.json", "-o", tmp_path / "tape", *fields)
    assert done.returncode == 0
    assert "BTC-USD: 3 updates came before a snapshot: of the book before one nothing is known" in done.stdout
    assert [row.kind for row in read_rows(tmp_path / "tape")].count("frame") == 3


def test_errors_of_the_command(tmp_path: Path) -> None:
    """Errors of a pattern, a directory, a tape, of fields and of a format say what to type."""
    (tmp_path / "array.json").write_text('[{"recv_ns": 1, "frame": "{}"}]')
    for arguments, part in (
        ([tmp_path / "no-*.json"], "no file matches"),
        ([tmp_path], "is a directory: name files in it"),
        ([SAMPLE], "is a tape already"),
        ([tmp_path / "array.json", "--format", "tardis", "--time-field", "ts"], "--format json"),
        ([tmp_path / "array.json", "--time-field", "ts", "--frame-field", "ts"], "one field"),
        ([tmp_path / "array.json"], "--format json"),
    ):
        done = booktape("import", *arguments, "-o", tmp_path / "tape")
        assert done.returncode != 0
        assert part in done.stderr
        assert not (tmp_path / "tape").exists()
