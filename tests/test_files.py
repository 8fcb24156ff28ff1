"""Arrays from files: what is written is what is read, and every defect is named with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from strategies import F

from divkit import InvalidInput
from divkit._files import read_array

tables = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=st.floats(allow_nan=False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


@given(
    table=tables, delimiter=st.sampled_from([",", "\t"]), header=st.booleans(), ending=st.sampled_from(["\n", "\r\n"])
)
def test_text_is_read_to_the_last_bit(folder: Path, table: F, delimiter: str, header: bool, ending: str) -> None:
    lines = [delimiter.join(f"c{k}" for k in range(table.shape[1]))] * header
    lines += [delimiter.join(map(repr, row)) for row in table.tolist()]
    path = written(folder, "table.csv" if delimiter == "," else "table.tsv", ending.join(lines) + ending)
    np.testing.assert_array_equal(read_array(path), table[:, 0] if table.shape[1] == 1 else table)


@given(table=tables)
def test_numpy_files_keep_their_shape(folder: Path, table: F) -> None:
    np.save(folder / "a.npy", table)
    np.savez(folder / "one.npz", only=table)
    np.savez(folder / "two.npz", first=table, second=-table)
    for name in ("a.npy", "one.npz", "one.npz:only", "two.npz:first"):
        np.testing.assert_array_equal(read_array(str(folder / name)), table)
    np.testing.assert_array_equal(read_array(str(folder / "two.npz:second")), -table)


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4",
        "# made by hand\n1,2\n\n3,4\n\n",
        " 1 , 2 \n 3 , 4 ",
        "\ufeffa,b\n1,2\n3,4\n",
        "alcohol,malic acid\n1e0,2.0\n+3,4.\n",
        '"a","b"\n1,2\n3,4\n',
    ],
    ids=["no end", "comments and gaps", "spaces", "byte order mark", "header", "quoted header"],
)
def test_usual_ways_to_write_a_table_are_read(folder: Path, text: str) -> None:
    np.testing.assert_array_equal(read_array(written(folder, "usual.csv", text)), [[1, 2], [3, 4]])


def test_the_ending_counts_in_capitals_too(folder: Path) -> None:
    assert read_array(written(folder, "LOUD.CSV", "1\n2\n")).tolist() == [1, 2]


def test_a_single_row_keeps_its_two_axes(folder: Path) -> None:
    assert read_array(written(folder, "row.csv", "1,2,3\n")).shape == (1, 3)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("empty.csv", "", "holds no numbers"),
        ("blank.csv", "\n \n", "holds no numbers"),
        ("header.csv", "a,b\n", "holds no numbers"),
        ("ragged.csv", "1,2\n3,4\n5\n", "line 3 has 1 cells, the first has 2; every row needs as many"),
        ("ragged_header.csv", "a,b\n\n1,2\n3,4,5\n", "line 4 has 3 cells"),
        ("text.csv", "a,b\n1,2\n3,red\n", r"line 3, column 2 is 'red', not a number; drop or encode that column"),
        ("gap.csv", "1,2\n3,\n", r"line 2, column 2 is '', not a number"),
        ("first_gap.csv", "1,,2\n3,4,5\n", r"line 1, column 2 is ''"),
        ("first_text.csv", "5.1,setosa\n4.9,virginica\n", r"line 1, column 2 is 'setosa'"),
        ("index.csv", ",a,b\n0,1,2\n1,3,4\n", r"first column without a name.*index=False"),
        ("quoted_index.csv", '"","a"\n"1",2\n', "first column without a name"),
        ("semicolon.csv", "a;b\n1;2\n", "column 1 is '1;2'"),
        ("wrong.txt", "1,2\n", "must end in .csv, .tsv, .npy or .npz; convert it first"),
        ("none", "1,2\n", "must end in"),
    ],
)
def test_the_defect_of_a_text_file_is_named_with_its_place(folder: Path, name: str, text: str, message: str) -> None:
    path = written(folder, name, text)
    with pytest.raises(InvalidInput, match=message) as caught:
        read_array(path)
    assert name in str(caught.value)


def _truncated(path: Path, save: Callable[[Path], None]) -> None:
    save(path)
    path.write_bytes(path.read_bytes()[:-40])


DEFECTIVE: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickled.npy": (lambda p: np.save(p, np.array([{}], dtype=object), allow_pickle=True), "plain NumPy array"),
    "pickled.npz": (lambda p: np.savez(p, a=np.array([{}], dtype=object)), "plain NumPy array"),
    "short.npy": (lambda p: _truncated(p, lambda q: np.save(q, np.ones(20))), "plain NumPy array"),
    "short.npz": (lambda p: _truncated(p, lambda q: np.savez(q, a=np.ones(20))), "plain NumPy array"),
    "text.npy": (lambda p: p.write_text("1,2"), "plain NumPy array"),
    "empty.npy": (lambda p: p.write_bytes(b""), "plain NumPy array"),
    "empty.npz": (lambda p: np.savez(p), r"holds the arrays \(none\); pick one as .*NAME"),
    "several.npz": (lambda p: np.savez(p, a=np.ones(1), b=np.ones(1)), "holds the arrays a, b; pick one as .*:NAME"),
    "binary.csv": (lambda p: p.write_bytes(b"\xff\xfe1\x002\x00"), "is not UTF-8 text"),
}


@pytest.mark.parametrize("name", DEFECTIVE)
def test_the_defect_of_a_binary_file_is_named(folder: Path, name: str) -> None:
    write, message = DEFECTIVE[name]
    write(folder / name)
    with pytest.raises(InvalidInput, match=message):
        read_array(str(folder / name))


def test_a_name_that_the_archive_lacks_is_answered_with_those_it_has(folder: Path) -> None:
    np.savez(folder / "named.npz", train=np.ones(1), test=np.ones(1))
    with pytest.raises(InvalidInput, match="holds the arrays train, test; pick one"):
        read_array(f"{folder / 'named.npz'}:valid")


@pytest.mark.parametrize("name", ["missing.csv", ".", "missing.npz:a"])
def test_a_path_without_a_file_is_an_error(folder: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="there is no file"):
        read_array(str(folder / name))
