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
        ("a,b\n1\n", "row 2 has 1 cells, the first has 2"),
        (",b\n0,1\n", "without a name"),
        ("a,a\n1,2\n", "two columns named 'a'"),
        ("a\ninf\n", "finite or missing"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read_table("A", written(tmp_path, text))


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, message in (("no.csv", "no file"), ("a.xlsx", "must end in"), ("no.parquet", "no file")):
        with pytest.raises(InvalidInput, match=message):
            read_table("A", str(tmp_path / name))
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00")
    for name, message in (("bad.parquet", "Parquet"), ("bad.csv", "UTF-8")):
        with pytest.raises(InvalidInput, match=message):
            read_table("A", str(tmp_path / name))


def test_digits_with_underscores_are_texts(tmp_path: Path) -> None:
    assert read_table("A", written(tmp_path, "a\n1_000\n2\n")).columns[0].kind == "category"
