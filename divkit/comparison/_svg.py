"""A picture as part of a page, in the colours of the page."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Final

from divkit._errors import require
from divkit.comparison._markup import escape
from divkit.comparison.pictures import Look, plain_text

if TYPE_CHECKING:
    from divkit.comparison.pictures import Panel

__all__ = ["drawn_as_svg"]

# Colours that stand for those of the style sheet, light or dark.
_STANDS_FOR: Final = {
    "#010203": "ink", "#010204": "x", "#010205": "y", "#010206": "muted",
    "#010207": "c0", "#010208": "c1", "#010209": "c2", "#01020a": "c3",
}  # fmt: skip
_LOOK: Final = Look("#010203", "#010204", "#010205", "#010206", ("#010207", "#010208", "#010209", "#01020a"))


def drawn_as_svg(panel: Panel, prefix: str) -> str:
    """The picture as an element of a page, with names that begin with the prefix.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    figure = require("matplotlib.figure", "plot").Figure(figsize=(5.2, 3.5), layout="constrained")
    figure.patch.set_alpha(0.0)
    options = {"svg.fonttype": "none", "svg.hashsalt": prefix, "font.family": "sans-serif"}
    with plain_text(), require("matplotlib", "plot").rc_context(options), warnings.catch_warnings():
        # Letters that matplotlib has no glyph for are the browser's to draw.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        panel.draw(figure.add_subplot(), _LOOK)
        held = io.StringIO()
        figure.savefig(held, format="svg", metadata={"Date": None})
    return _embedded(held.getvalue(), panel.alternative, prefix)


def _embedded(svg: str, alternative: str, prefix: str) -> str:
    """Without a head of its own, as wide as there is room, with its colours and names made the page's."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    open_tag, rest = svg.split(">", 1)
    open_tag = re.sub(r'\s(?:width|height|xmlns:xlink|version)="[^"]*"', "", open_tag)
    rest = re.sub(r"<[^>]+>", lambda tag: _of_page(tag[0], prefix), rest)  # names of columns are texts between them
    return f'{open_tag} role="img" aria-label="{escape(alternative)}">{rest.strip()}'


def _of_page(tag: str, prefix: str) -> str:
    """A tag with the names and colours of the page."""
    tag = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', tag)
    tag = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", tag)
    tag = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{prefix}-\1"', tag)
    for stand_in, name in _STANDS_FOR.items():
        tag = tag.replace(stand_in, f"var(--{name})")
    return tag
