"""Sphinx configuration; build with ``python -m sphinx -W -b html docs docs/_build/html``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import divkit

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "divkit"
author = "the divkit developers"
version = release = divkit.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's parameter lists carry them in words
numpydoc_show_class_members = False  # the class template lists methods with their text
add_module_names = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "image_scrapers": ("figure_scraper.save_figures",),
    "within_subsection_order": "FileNameSortKey",
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "abort_on_example_error": True,
}

html_theme = "pydata_sphinx_theme"
html_title = f"divkit {release}"
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "show_toc_level": 2,
    "show_prev_next": True,
    "navigation_with_keys": False,
}
_PAGES = (
    "how-to-choose",
    "conventions",
    "your-own-divergence",
    "scope",
    "corners",
    "performance",
    "changelog",
    "exact-transport",
    "samples",
    "accuracy",
)
html_sidebars: dict[str, list[str]] = {page: [] for page in _PAGES}  # they have no pages below them
html_show_sourcelink = False


def _keep_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape the bars of |x - y| in docstrings, which ReST would read as substitutions."""
    in_session = False
    for k, line in enumerate(lines):
        in_session = line.lstrip().startswith(">>>") or (in_session and bool(line.strip()))
        if not in_session:
            parts = re.split(r"(`[^`]*`)", line)  # what is quoted stays as it is
            lines[k] = "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)


def setup(app: Any) -> None:
    """Register the hook, after numpydoc's."""
    app.connect("autodoc-process-docstring", _keep_bars, priority=900)
