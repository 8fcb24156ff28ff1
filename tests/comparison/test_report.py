"""The page, the fragment, the text and the pictures of a comparison."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from decimal import ROUND_CEILING, ROUND_FLOOR
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import divkit
from divkit.comparison._markup import number, percent
from divkit.comparison.pictures import panels

pytest.importorskip("matplotlib")

MARKUP = "<script>alert(1)</script> & $x$"
_VOID = {"meta", "link", "br", "img", "hr", "input"}


class Parsed(HTMLParser):
    """Tags in balance, names, and what a page would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.tags.append(tag)
        if held.get("id"):
            self.ids.append(str(held["id"]))
        self.fetched += [str(held[name]) for name in ("src", "href", "data", "srcset") if name in held]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def found() -> divkit.Comparison:
    rng = np.random.default_rng(0)
    sides = []
    for n, shift in ((200, 1.0), (150, 0.0)):
        sides.append(
            {
                MARKUP: rng.normal(shift, 1, n),
                "\u5e74\u9f62": rng.choice(["<b>u</b>", "$v$ & co", '"w"'], n),
                "a name that is much too long to stand above a picture": rng.normal(size=n),
                "day": np.datetime64("2020-01-01") + rng.integers(0, 90, n).astype("timedelta64[D]"),
            }
        )
    return divkit.compare(*sides, rng=0)


@pytest.fixture(scope="module")
def page(found: divkit.Comparison) -> str:
    return found.to_html(title=f"A & B {MARKUP}")


def test_the_page_is_well_formed_and_fetches_nothing(page: str) -> None:
    parsed = Parsed(page)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert "script" not in parsed.tags
    assert all(link.startswith(("#", "data:,")) for link in parsed.fetched)
    for link in parsed.fetched:
        if link.startswith("#"):
            assert link[1:] in parsed.ids
    assert "url(http" not in page
    assert "@import" not in page


def test_names_are_escaped(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; $x$" in page
    assert "<b>u</b>" not in page


def test_pictures_are_part_of_the_page_and_are_described(page: str, found: divkit.Comparison) -> None:
    pictures = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(pictures) == len(panels(found)) == 7
    for picture in pictures:
        root = ET.fromstring(picture)
        assert root.get("role") == "img"
        assert len(root.get("aria-label", "")) > 30
        assert root.get("width") is None
        colours = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", picture))
        assert colours <= {"#ffffff"}, "colours are those of the style sheet, light or dark"
        for name in re.findall(r"url\(#([^)]+)\)", picture):
            assert f'id="{name}"' in picture


def test_tables_keep_their_roles_on_narrow_screens(page: str) -> None:
    assert page.count('role="table"') == 2
    for role in ("rowgroup", "row", "columnheader", "rowheader", "cell"):
        assert f'role="{role}"' in page
    assert page.count("<caption>") == 2


def test_every_number_of_the_table_is_on_the_page(page: str, found: divkit.Comparison) -> None:
    for row in found.table():
        assert f">{number(row['value'])}<" in page
        assert row["method"] in page


def test_the_page_is_written_and_the_same_each_time(page: str, found: divkit.Comparison, tmp_path: Path) -> None:
    again = found.to_html(tmp_path / "page.html", title=f"A & B {MARKUP}")
    assert again == page == (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_notebook_shows_tables(found: divkit.Comparison) -> None:
    text = found._repr_html_()
    Parsed(text)
    assert found.columns[0].name == MARKUP
    assert "<script" not in text


def test_text_has_every_column(found: divkit.Comparison) -> None:
    lines = str(found).splitlines()
    assert lines[0] == found.verdict
    for column in found.columns:
        assert any(line.startswith(column.name) for line in lines)
    assert any("2020-02" in line for line in lines)


def test_all_pictures_are_in_one_figure(found: divkit.Comparison) -> None:
    figure = found.plot()
    drawn = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert len(drawn) == 7
    assert drawn[0].get_title(loc="left") == "<script>alert(1)</script> &…"


def test_few_rows_and_one_column_have_fewer_pictures() -> None:
    few = divkit.compare([1.0, 2.0], [3.0], rng=0)
    assert [panel.title for panel in panels(few)] == ["value", "W1"]
    Parsed(few.to_html())
    Parsed(divkit.compare({"a": ["u"]}, {"a": ["u"]}, rng=0).to_html())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (float("nan"), "–"), (float("inf"), "∞"), (float("-inf"), "−∞"), (0.0, "0"), (3, "3"),
        (12345, "12,345"), (12345.6, "12,350"), (0.123456, "0.1235"), (-1.5, "−1.5"), (1e-300, "1e-300"),
        (1e300, "1e+300"), (-1.5e-7, "−1.5e-07"),
    ],
)  # fmt: skip
def test_numbers_as_text(value: float | None, text: str) -> None:
    assert number(value) == text


def test_decimals_stay_what_they_are_however_they_are_rounded() -> None:
    for way in (ROUND_FLOOR, ROUND_CEILING):
        assert (number(0.001, way), number(0.3, way), number(-2.5e-9, way)) == ("0.001", "0.3", "−2.5e-09")


@given(st.floats(-1e300, 1e300).filter(lambda value: value == 0 or abs(value) > 1e-290))
def test_limits_are_rounded_to_the_safe_side(value: float) -> None:
    low, high = (float(number(value, way).replace("−", "-").replace(",", "")) for way in (ROUND_FLOOR, ROUND_CEILING))
    assert low <= value <= high
    assert high - low <= 2e-3 * abs(value)


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0.0%"), (1e-6, "<0.1%"), (0.0005, "0.1%"), (0.25, "25.0%"), (1.0, "100.0%")]
)
def test_shares_that_are_not_0_are_not_shown_as_0(share: float, text: str) -> None:
    assert percent(share) == text


def test_texts_that_look_like_parts_of_a_picture_stay_as_they_are() -> None:
    names = ('id="q"', "url(#q)", "#010203", "a\nb", "\x00", "\ud800")
    side = {name: np.arange(20.0) for name in names}
    page = divkit.compare(side, side, parts=[], rng=0).to_html()
    Parsed(page)
    assert 'id="q"' in html.unescape(page)
    assert ">#010203<" in page
    assert not re.search("[\x00\ud800]", page)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_pictures_at_any_scale(scale: float, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(30, 2)) * scale, rng.normal(size=(25, 2)) * scale
    Parsed(divkit.compare(x, y, rng=0).to_html())
