"""run.json: what is refused and how it is said, and that a file is written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probes.report.run import SCHEMA, BadRun, load, summary, write
from probes.verdict import BROKEN, HELD, VERDICTS

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"
SAMPLE_1 = Path(__file__).parent / "samples" / "run-small.json"
"""The same run, as the first schema had it."""
SAMPLE_2 = Path(__file__).parent / "samples" / "run-small-2.json"
"""As the second one had it."""


@pytest.fixture
def run() -> dict[str, Any]:
    run: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    for claim in run["claims"]:
        for case in claim["cases"]:
            for trial in case["trials"]:
                trial["wakings"] = [] if trial["traced"] else trial["wakings"]  # they are not written (packed.py)
    return run


def complaint(path: Path) -> str:
    """The message for this file, which has to be one sentence with the path."""
    with pytest.raises(BadRun) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    assert "\n" not in message
    return message.removeprefix(str(path)).strip()


def test_the_sample_is_a_run() -> None:
    assert load(SAMPLE)["schema"] == SCHEMA


def test_a_claim_is_there_once(run: dict[str, Any], tmp_path: Path) -> None:
    """It would be counted twice, and which of the two verdicts holds nobody could say."""
    run["claims"].append(run["claims"][0])
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run), encoding="utf-8")
    assert complaint(path) == f"is not a run of schema 3: claims: {run['claims'][0]['id']} is there more than once."


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"\xef\xbb\xbf" + SAMPLE.read_bytes())
    assert load(path) == load(SAMPLE)


def test_a_run_of_schema_1_is_read_as_if_it_had_been_written_today() -> None:
    assert load(SAMPLE_1) == load(SAMPLE)


def test_a_run_of_schema_2_is_read_as_if_it_had_been_written_today() -> None:
    assert load(SAMPLE_2) == load(SAMPLE)


@pytest.mark.parametrize(
    ("what", "seen", "fact", "value"),
    [
        ("left waiting", "2", "left", 2),
        ("the last user had it again", "False", "last-user-again", False),
        ("lock waiters woken by each unlock", "[1, 1, 0]", "woken-by-unlock", [1, 1, 0]),
        ("took the connections", "w0 w2 w1", "takers", [0, 2, 1]),
        ("epoll_ctl(ADD, EPOLLEXCLUSIVE|EPOLLONESHOT)", "None", "add", "ok"),
        ("a fourth accept", "EAGAIN", "a-fourth-accept", "EAGAIN"),
        ("poll reports", "[1, os.system]", "poll-reports", "[1, os.system]"),
        ("?", "9" * 5000, "fact", "9" * 5000),
    ],
)
def test_a_fact_of_schema_1_gets_an_id_and_a_value(
    what: str, seen: str, fact: str, value: object, tmp_path: Path
) -> None:
    old = json.loads(SAMPLE_1.read_text(encoding="utf-8"))
    old["claims"][0]["cases"][0]["facts"] = [{"what": what, "expected": seen, "seen": seen}]
    path = tmp_path / "run.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    (read,) = load(path)["claims"][0]["cases"][0]["facts"]
    assert read == {"id": fact, "what": what, "expected": value, "seen": value}


@pytest.mark.parametrize("spoilt", [{"claims": 1}, {"claims": [{"cases": [{"facts": [{"what": 1, "seen": []}]}]}]}])
def test_what_is_no_run_of_schema_1_is_named(spoilt: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**json.loads(SAMPLE_1.read_text(encoding="utf-8")), **spoilt}), encoding="utf-8")
    assert complaint(path).startswith("is not a run of schema 1: claims")


def test_a_missing_file(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.json") == "does not exist."


def test_a_directory(tmp_path: Path) -> None:
    assert complaint(tmp_path) == "is a directory, not a run.json."


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    # Not by its mode: root reads everything.  A path through a file fails for everybody.
    path = tmp_path / "file"
    path.touch()
    assert complaint(path / "run.json") == "cannot be read: Not a directory."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty."),
        (b" \n ", "is empty."),
        (b"[1, 2]", "is not a run: it holds an array, not an object."),
        (b"7", "is not a run: it holds a number, not an object."),
        (b"verdicts\nof\nyesterday", "is no JSON: Expecting value in line 1, column 1."),
        (b'{"schema": \xff}', "is no JSON: it is not UTF-8 at byte 11."),
        (
            b'{"schema": 4}',
            "has schema 4: it was written by a newer wakecheck, and this one reads schemas 1 to 3.",
        ),
        (b'{"schema": 0}', "has schema 0: there is no such schema, and this one reads schemas 1 to 3."),
        (b'{"schema": null}', "has schema null: there is no such schema, and this one reads schemas 1 to 3."),
        (b'{"schema": Infinity}', "has schema Infinity: there is no such schema, and this one reads schemas 1 to 3."),
        (b'{"schema": true}', "has schema true: there is no such schema, and this one reads schemas 1 to 3."),
        (b'{"schema": "1"}', "has schema '1': there is no such schema, and this one reads schemas 1 to 3."),
        (
            b'{"schema": ' + b"9" * 5000 + b"}",
            "is no JSON that can be read here: it holds a number of too many digits.",
        ),
        (b"[" * 100_000, "is no JSON that can be read here: it is nested too deeply."),
    ],
    ids=[
        "empty",
        "blank",
        "array",
        "number",
        "prose",
        "no-utf8",
        "newer",
        "older",
        "null",
        "infinite",
        "true",
        "text",
        "huge-number",
        "too-deep",
    ],
)
def test_a_file_that_is_no_run(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    assert complaint(path) == message


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_half_a_file(share: float, tmp_path: Path) -> None:
    whole = SAMPLE.read_text(encoding="utf-8").rstrip()
    path = tmp_path / "run.json"
    path.write_text(whole[: int(len(whole) * share)], encoding="utf-8")
    assert complaint(path).startswith(("is half-written", "is no JSON"))


def test_a_file_that_ends_inside_a_string(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"schema": 1, "label": "uml-7', encoding="utf-8")
    assert complaint(path) == "is half-written: its JSON breaks off in line 1."


def test_a_violation_names_its_place(run: dict[str, Any], tmp_path: Path) -> None:
    run["claims"][1]["cases"][0]["trials"][0]["woken"] = "many"
    path = tmp_path / "run.json"
    write(run, path)
    assert complaint(path) == (
        "is not a run of schema 3: claims[1].cases[0].trials[0].woken: is a string, not integer or null."
    )


def test_what_is_written_can_be_read(run: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "run.json"
    write(run, path)
    assert load(path) == run


def test_a_label_that_is_no_utf8_can_be_written(run: dict[str, Any], tmp_path: Path) -> None:
    run["label"] = b"uml-\xff".decode("utf-8", "surrogateescape")
    write(run, tmp_path / "run.json")
    assert load(tmp_path / "run.json") == run


def test_a_failed_write_leaves_the_old_file_and_nothing_else(run: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(TypeError):
        write({**run, "claims": object()}, path)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_at_the_end_removes_the_temporary_file(run: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(IsADirectoryError):
        write(run, tmp_path / "run.json")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_the_summary_counts_every_verdict() -> None:
    counts = summary([{"verdict": HELD}, {"verdict": BROKEN}, {"verdict": HELD}])
    assert list(counts) == list(VERDICTS)
    assert (counts[HELD], counts[BROKEN], sum(counts.values())) == (2, 1, 3)


def test_the_sample_says_what_it_holds(run: dict[str, Any]) -> None:
    assert run["summary"] == summary(run["claims"])
