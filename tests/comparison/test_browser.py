"""The page in a browser: no error, no request, nothing wider than the screen, light and dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import divkit

pytest.importorskip("matplotlib")
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright; the extra 'browser' brings it")
BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    rng = np.random.default_rng(0)
    sides = []
    for n, shift in ((200, 1.0), (150, 0.0)):
        sides.append(
            {
                "<script>document.title = 'broken'</script>": rng.normal(shift, 1, n),
                "town": rng.choice(["u", "v" * 60, "<img src=x>"], n),
                "a_name_without_a_space_that_is_much_too_long_for_any_cell_of_a_table" * 2: rng.normal(size=n),
                "gaps": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
            }
        )
    path = tmp_path_factory.mktemp("page") / "page.html"
    divkit.compare(*sides, rng=0).to_html(path, title="Two samples compared")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


def opened(browser: Any, address: str, width: int, scheme: str) -> tuple[Any, list[str], list[str]]:
    tab = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    said: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(address)
    return tab, said, [url for url in asked if url != address and not url.startswith("data:")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 768, 1400])
def test_no_error_no_request_no_overflow(browser: Any, page: str, width: int, scheme: str) -> None:
    tab, said, asked = opened(browser, page, width, scheme)
    assert said == []
    assert asked == []
    assert tab.title() == "Two samples compared"
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, page: str, scheme: str) -> None:
    tab, _, _ = opened(browser, page, 1400, scheme)
    for selector in (
        "h1",
        ".sizes",
        ".verdict",
        "td",
        "tbody th",
        "thead th",
        "figcaption",
        ".cards .note",
        "svg text",
    ):
        colours = tab.evaluate(
            """selector => {
                const part = document.querySelector(selector);
                const own = getComputedStyle(part);
                const ground = getComputedStyle(document.documentElement).backgroundColor;
                return [part.tagName === 'text' ? own.fill : own.color, ground];
            }""",
            selector,
        )
        assert contrast(*colours) >= 4.5, selector
    tab.close()


def contrast(text: str, ground: str) -> float:
    """The ratio of WCAG 2 for two colours as rgb(r, g, b)."""
    lights = []
    for colour in (text, ground):
        parts = np.array([float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_a_screen_reader_finds_tables_pictures_and_headings(browser: Any, page: str) -> None:
    for width in (375, 1400):
        tab, _, _ = opened(browser, page, width, "light")
        assert tab.get_by_role("table").count() == 2
        assert tab.get_by_role("columnheader").count() > 10
        assert tab.get_by_role("rowheader").count() > 10
        assert tab.get_by_role("img").count() == tab.locator("figure").count() > 5
        assert tab.get_by_role("heading", level=1).count() == 1
        assert tab.get_by_role("link", name="To the numbers").count() == 1
        tab.close()


def test_it_prints_on_white(browser: Any, page: str) -> None:
    tab, _, _ = opened(browser, page, 1400, "dark")
    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert len(tab.pdf()) > 10_000
    tab.close()
