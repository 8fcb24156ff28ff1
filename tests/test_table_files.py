"""Tables from files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from divkit import InvalidInput
from divkit._table_files import GAPS, read_table


def written(folder: Path, text: str, name: str = "a.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_numbers_texts_and_gaps(tmp_path: Path) -> None:
    table = read_table("A", written(tmp_path, 'n,t,"with, comma"\n1,a,x\n,b,"y ""z"""\n3.5,NA,w\n'))
    assert [(c.name, c.kind) for c in table.columns] == [
        ("n", "number"),
        ("t", "category"),
        ("with, comma", "category"),
    ]
    np.testing.assert_array_equal(table.columns[0].values, [1.0, math.nan, 3.5])
    assert table.columns[1].values.tolist() == ["a", "b", None]
    assert table.columns[2].values.tolist() == ["x", 'y "z"', "w"]


def test_lines_without_names_and_tabs(tmp_path: Path) -> None:
    table = read_table("A", written(tmp_path, "1\ta\n2\tb\n", "a.tsv"))
    assert not table.named
    assert [c.name for c in table.columns] == ["column 0", "column 1"]
    assert len(table) == 2


_CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=6).map(str.strip)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(-1e300, 1e300), _CELLS), min_size=1, max_size=5))
def test_what_csv_writes_is_read_back(tmp_path: Path, rows: list[tuple[float, str]]) -> None:
    frame = pl.DataFrame({"n": [n for n, _ in rows], "t": [f"t{t}" for _, t in rows]})
    path = tmp_path / "b.csv"
    frame.write_csv(path)
    table = read_table("A", str(path))
    assert table.columns[0].values.tolist() == [n for n, _ in rows]
    assert table.columns[1].values.tolist() == [f"t{t}" for _, t in rows]


def test_parquet_and_arrays(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pl.DataFrame({"n": [1.0, None], "t": ["a", "b"]})
    frame.write_parquet(tmp_path / "a.parquet")
    table = read_table("A", str(tmp_path / "a.parquet"))
    assert [(c.name, c.kind) for c in table.columns] == [("n", "number"), ("t", "category")]
    np.savez(tmp_path / "a.npz", p=np.eye(2), q=np.ones(3))
    assert len(read_table("A", f"{tmp_path / 'a.npz'}:q")) == 3
    assert not read_table("A", f"{tmp_path / 'a.npz'}:p").named


@pytest.mark.parametrize("gap", sorted(GAPS))
def test_gaps_are_missing_among_numbers_and_texts(tmp_path: Path, gap: str) -> None:
    table = read_table("A", written(tmp_path, f"n,t\n1,a\n{gap},{gap}\n"))
    assert [column.missing.tolist() for column in table.columns] == [[False, True]] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b\n", "names of columns, and no rows"),
        ("a,b\n1\n", "line 2 has 1 cells, the first has 2"),
        (",b\n0,1\n", "without a name"),
        ("a,a\n1,2\n", "two columns named 'a'"),
        ("a\ninf\n", "finite or missing"),
        ('a,b\n1,"x\n2,y\n', "from line 2 on: unexpected end of data; a cell that begins with a quote"),
        ('a,b\n1,"x"y\n', "quotes inside it are doubled"),
        ("age,2020\n3,4\n", "'age' stands above numbers, but '2020' is a number; rename it, such as to 'c2020'"),
        ("5,?\n3,2\n", "if the line is a row write its gaps as NA"),
        ("a;b\n1,5;2,5\n", "semicolons between its cells, and its ending says commas; save it with commas"),
        ("a\tb\n1\t2\n", "tabs between its cells"),
        ("id,b\n9007199254740993,1\n,2\n", r"column 'id' of A .* beyond 2\*\*53 \(from 9007199254740993 to"),
        ("id\n" + "9" * 200 + "\n", r"beyond 2\*\*53"),
        ("a\n\n", "no rows"),
        ("  \n\n", "is empty"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read_table("A", written(tmp_path, text))


@given(st.lists(st.integers(-(2**53), 2**53) | st.none(), min_size=2, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_single_column_keeps_its_gaps_but_for_blank_lines_at_its_ends(
    tmp_path: Path, values: list[int | None]
) -> None:
    values = [1, *values, 2]
    path = tmp_path / "c.csv"
    pl.DataFrame({"n": pl.Series(values, dtype=pl.Int64)}).write_csv(path)
    path.write_text(f"\n  \n{path.read_text()}\n   \n\n")
    (column,) = read_table("A", str(path)).columns
    assert [None if math.isnan(value) else int(value) for value in column.values] == values


def test_a_quoted_empty_cell_at_the_end_is_a_gap_as_pandas_writes_it(tmp_path: Path) -> None:
    (column,) = read_table("A", written(tmp_path, 'n\n1\n""\n')).columns
    assert column.missing.tolist() == [False, True]


def test_blank_lines_of_wider_tables_are_skipped(tmp_path: Path) -> None:
    assert len(read_table("A", written(tmp_path, "a,b\n\n1,2\n  \n3,4\n   \n\n"))) == 2


@pytest.mark.parametrize(
    ("text", "names"),
    [("inf,a\n1,2\n", ["inf", "a"]), ("2019,2020\n3,4\n", None), ("x,1\ny,2\n", None), ("NA,1\n2,3\n", None)],
)
def test_a_first_line_with_a_finite_number_is_a_row(tmp_path: Path, text: str, names: list[str] | None) -> None:
    table = read_table("A", written(tmp_path, text))
    assert ([column.name for column in table.columns] if table.named else None) == names
    assert len(table) == (2 if names is None else 1)


@pytest.mark.parametrize("cell", ['"1,234"', "1%", "1_000"])
def test_what_is_no_number_to_python_is_a_text(tmp_path: Path, cell: str) -> None:
    assert read_table("A", written(tmp_path, f"a\n{cell}\n2\n")).columns[0].kind == "category"


def test_large_numbers_with_a_point_or_an_exponent_are_no_integers(tmp_path: Path) -> None:
    (column,) = read_table(
        "A", written(tmp_path, "a\n1e300\n-9007199254740992\n18014398509481984.0\n3.2014970928061252e16\n")
    ).columns
    assert column.values.tolist() == [1e300, -(2.0**53), 2.0**54, 32014970928061252.0]


def test_without_strict_a_column_that_cannot_be_held_is_there_and_refused(tmp_path: Path) -> None:
    table = read_table("A", written(tmp_path, "id,b\n9007199254740993,1\n2,3\n"), strict=False)
    assert table.column("b").values.tolist() == [1.0, 3.0]
    with pytest.raises(InvalidInput, match=r"column 'id' of A .* beyond 2\*\*53"):
        table.column("id")


def test_directories_are_called_so(tmp_path: Path) -> None:
    for name in ("a.csv", "b.parquet", "c.npy", "d"):
        (tmp_path / name).mkdir()
        with pytest.raises(InvalidInput, match="is a directory; give one file"):
            read_table("A", str(tmp_path / name))


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, message in (("no.csv", "no file"), ("a.xlsx", "must end in"), ("no.parquet", "no file")):
        with pytest.raises(InvalidInput, match=message):
            read_table("A", str(tmp_path / name))
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00")
    for name, message in (("bad.parquet", "Parquet"), ("bad.csv", "UTF-8")):
        with pytest.raises(InvalidInput, match=message):
            read_table("A", str(tmp_path / name))
