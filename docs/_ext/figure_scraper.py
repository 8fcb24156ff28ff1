"""Put matplotlib figures into the gallery that were made without pyplot, as divkit's studies make them."""

from __future__ import annotations

from typing import Any

from sphinx_gallery.scrapers import figure_rst

_saved: set[int] = set()


def save_figures(block: tuple[Any, ...], block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save each figure the first time that a variable of the example refers to it; the ReST that shows them."""
    from matplotlib.figure import Figure

    paths = []
    for value in block_vars["example_globals"].values():
        if isinstance(value, Figure) and id(value) not in _saved:
            _saved.add(id(value))
            paths.append(next(block_vars["image_path_iterator"]))
            value.savefig(paths[-1], dpi=110)
    return str(figure_rst(paths, gallery_conf["src_dir"]))
