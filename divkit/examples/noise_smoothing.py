"""What does noise on data and model do to a divergence that does not see how far they are apart?

Two parallel segments theta apart have JSD = log 2, whatever theta, and a generator learns nothing from it. Noise of
width w on both makes them overlap from w = theta/2 on: JSD falls, and its slope in theta is no longer 0. From the
smoothed JSD the distance is known to be at most 2 V^(1/2) + 2 C JSD^(1/2), with the noise's total variance V and a ball
of diameter C about the smoothed laws: Arjovsky and Bottou (2017), "Towards principled methods for training generative
adversarial networks". The noise has to be bounded, and no width is best for all theta.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from divkit._checks import check_finite
from divkit._errors import InvalidInput
from divkit.api import estimate
from divkit.examples._study import PALETTE, Table, canvas, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["NOISES", "Smoothed", "figure", "run", "smoothed"]

_THETAS = (0.02, 0.5)
# In units of theta; JSD has a kink at 1/2, which is none of them.
_WIDTHS = (
    1 / 32,
    1 / 16,
    1 / 8,
    1 / 4,
    0.49,
    0.51,
    0.6,
    0.7,
    0.85,
    1.0,
    1.4,
    2.0,
    2.8,
    4.0,
    5.6,
    8.0,
    16.0,
    32.0,
    64.0,
)
_STEP: Final = 1e-4  # of finite differences, in units of the width
# Variance of one coordinate for width 1; both noises are on [-width, width] in either coordinate, independently.
NOISES: Final[dict[str, float]] = {"uniform": 1 / 3, "triangular": 1 / 6}


@dataclass(frozen=True, eq=False)
class Smoothed:
    """Two segments with noise.

    Attributes
    ----------
    rows : list of dict
        By ``noise``, ``theta`` and ``width``: ``jsd`` of the smoothed laws, and ``jsd_slope``, its derivative by theta
        at this width; ``wasserstein1``, of the segments and of the smoothed laws alike, whose derivative is 1;
        ``deviation``, V^(1/2); ``diameter``, C; and the ``bound`` of W1.
    """

    rows: Table

    def column(self, noise: str, theta: float, name: str) -> list[float]:
        """One number by the width of one noise."""
        return [float(row[name]) for row in self.rows if (row["noise"], row["theta"]) == (noise, theta)]


def run(thetas: Sequence[float] = _THETAS, widths: Sequence[float] = _WIDTHS, *, length: float = 1.0) -> Smoothed:
    """Every noise at every distance, by a closed form or by a quadrature to about twelve digits.

    Parameters
    ----------
    thetas : sequence of float
        Distances of the segments, positive.
    widths : sequence of float
        Of the noise in units of the distance, positive.
    length : float
        Of the segments, at least 0: at 0 they are two points.

    Raises
    ------
    InvalidInput
        For numbers out of range.
    """
    return Smoothed(
        [smoothed(noise, theta, theta * width, length) for noise in NOISES for theta in thetas for width in widths]
    )


def smoothed(noise: str, theta: float, width: float, length: float = 1.0) -> dict[str, Any]:
    """One row: two segments theta apart, with noise on [-width, width] in either coordinate.

    Along the segments both laws are smoothed to the same one, independently of the other coordinate: JSD is that of the
    noise and of the noise moved by theta, on the line. The smoothed laws live in a rectangle, and C is its diagonal. W1
    is theta with and without noise, as one law is the other moved by so much.

    Raises
    ------
    InvalidInput
        For an unknown noise, and for numbers out of range.
    """
    if noise not in NOISES:
        raise InvalidInput(f"noise must be one of {', '.join(NOISES)}, got {noise!r}")
    check_finite("theta, width and length", np.array([theta, width, length], dtype=np.float64))
    if not (theta > 0 and width > 0 and length >= 0):
        raise InvalidInput(f"theta and width must be positive and length >= 0, got {theta!r}, {width!r} and {length!r}")
    shift = theta / width
    jsd = _jsd(noise, shift)
    deviation = width * math.sqrt(2 * NOISES[noise])
    diameter = math.hypot(theta + 2 * width, length + 2 * width)
    return {
        "noise": noise,
        "theta": theta,
        "width": width,
        "jsd": jsd,
        "jsd_slope": (_jsd(noise, shift + _STEP) - _jsd(noise, shift - _STEP)) / (2 * _STEP * width),
        "wasserstein1": theta,
        "deviation": deviation,
        "diameter": diameter,
        "bound": 2 * deviation + 2 * diameter * math.sqrt(jsd),
    }


@cache
def _jsd(noise: str, shift: float) -> float:
    """JSD of noise on [-1, 1] and of the same noise moved."""
    from scipy import stats

    if abs(shift) >= 2:
        return math.log(2)  # no point in common
    p, q = (
        stats.uniform(at - 1, 2) if noise == "uniform" else stats.triang(0.5, at - 1, 2) for at in (0.0, abs(shift))
    )
    return float(estimate(p, q, "jsd"))


def figure(found: Smoothed) -> Figure:
    """JSD, its slope, and the bound over W1, by the width of the noise in units of the distance.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    picture = canvas(13, 4.4)
    left, middle, right = picture.subplots(1, 3)
    thetas = sorted({row["theta"] for row in found.rows})
    far = thetas[-1]
    for noise, color in zip(NOISES, PALETTE, strict=False):
        widths = np.array(found.column(noise, far, "width")) / far
        for axes, name in ((left, "jsd"), (middle, "jsd_slope")):
            axes.plot(widths, found.column(noise, far, name), "o-", color=color, linewidth=2, markersize=4, label=noise)
    left.axhline(math.log(2), color="0.6", linewidth=1)
    middle.axhline(1, color=PALETTE[2], linewidth=2, label="of $W_1$")
    _draw_bounds(right, found, thetas)
    styled(left, "JSD of the smoothed laws", "width of the noise / distance", "nats")
    styled(middle, f"Its slope, segments {far:g} apart", "width of the noise / distance", "slope in the distance")
    styled(right, "What JSD proves of the distance", "width of the noise / distance", "bound of $W_1$ / $W_1$")
    for axes in (left, middle, right):
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.axvspan(axes.get_xlim()[0], 0.5, color="0.93", linewidth=0, zorder=0)
        axes.margins(x=0)
    for axes, place in ((left, "center right"), (middle, "upper right"), (right, (0.36, 0.07))):
        axes.legend(frameon=False, fontsize=11, loc=place)
    return picture


def _draw_bounds(axes: Axes, found: Smoothed, thetas: Sequence[float]) -> None:
    """The bound in units of the distance, its least value marked."""
    for theta, style in zip(thetas, ("-", "--", ":", "-.") * len(thetas), strict=False):
        for noise, color in zip(NOISES, PALETTE, strict=False):
            widths = np.array(found.column(noise, theta, "width")) / theta
            ratios = np.array(found.column(noise, theta, "bound")) / theta
            label = f"{noise}, {theta:g} apart"
            axes.plot(widths, ratios, style, color=color, linewidth=2, label=label)
            least = int(ratios.argmin())
            axes.plot(widths[least], ratios[least], "o", color=color)
    axes.axhline(1, color="0.6", linewidth=1)
    axes.set_yscale("log")
