"""Entry point of the command line."""

from __future__ import annotations

import sys

from divkit._errors import MissingDependency, require

__all__ = ["main"]


def main() -> None:
    """Run `divkit`; without the `cli` extra, say how to get it."""
    try:
        require("typer", "cli")
        require("rich", "cli")
    except MissingDependency as error:
        print(f"divkit: {error}", file=sys.stderr)
        sys.exit(2)
    from divkit.cli import run

    sys.exit(run())


if __name__ == "__main__":
    main()
