"""Conditions on the numbers of a comparison, such as ``jsd.lower > 0.05``."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from divkit._errors import InvalidInput, Unsupported
from divkit.comparison._figures import figures

if TYPE_CHECKING:
    from divkit.comparison.result import Comparison

__all__ = ["Condition", "parsed_condition"]

_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM: Final = re.compile(r"\s*(?P<name>.+?)\s*(?P<sign><=|>=|<|>)\s*(?P<number>[^\s<>=]+)\s*", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """A number of a comparison against a limit.

    Parameters
    ----------
    name : str
        ``p_value``, ``jsd``, ``jsd.lower``, ``wasserstein1.upper``, ``columns[age].adjusted``, ...
    sign : {"<", "<=", ">", ">="}
    limit : float
    """

    name: str
    sign: str
    limit: float

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.limit!r}"

    def holds(self, found: Comparison) -> bool:
        """Whether it is so.

        Raises
        ------
        InvalidInput
            For a name that the comparison does not have.
        Unsupported
            If the number could not be computed, so that nothing can be said.
        """
        known = figures(found)
        if self.name not in known:
            near = difflib.get_close_matches(self.name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            whole = ", ".join(name for name in known if not name.startswith("columns["))
            raise InvalidInput(
                f"condition {str(self)!r} names {self.name!r}, which a comparison does not have; {hint}Known: {whole}, "
                f"and columns[NAME].adjusted, .p_value, .distance, .relative, .jsd, .jsd.lower, .missing_x, "
                f".missing_y, .missing_p_value"
            )
        value = known[self.name]
        if value is None:
            raise Unsupported(
                f"condition {str(self)!r} cannot be judged, as {self.name} could not be computed: "
                f"{' '.join(found.remarks) or 'it was not asked for'}"
            )
        return _OPERATORS[self.sign](value, self.limit)


def parsed_condition(text: str) -> Condition:
    """A condition from its text: a name, one of < <= > >=, and a number.

    Raises
    ------
    InvalidInput
        For anything else.

    Examples
    --------
    >>> from divkit.comparison.conditions import parsed_condition
    >>> parsed_condition("jsd.lower > 0.05")
    Condition(name='jsd.lower', sign='>', limit=0.05)
    """
    match = _FORM.fullmatch(text)
    try:
        limit = math.nan if match is None else float(match["number"])
    except ValueError:
        limit = math.nan
    if match is None or math.isnan(limit) or "_" in match["number"]:
        raise InvalidInput(
            f"a condition is a name, one of < <= > >=, and a number, such as 'p_value < 0.01', got {text!r}"
        )
    return Condition(match["name"], match["sign"], limit)
