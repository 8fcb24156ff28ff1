"""divkit: how far apart two distributions are, and how sure that is.

Names are imported when they are first used, so that ``import divkit`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# public name -> module that defines it
_PUBLIC = {
    **dict.fromkeys(
        (
            "estimate",
            "hellinger",
            "jeffreys",
            "jsd",
            "kl",
            "neyman_chi2",
            "pearson_chi2",
            "reverse_kl",
            "squared_hellinger",
            "total_variation",
            "wasserstein",
            "wasserstein1",
        ),
        "divkit.api",
    ),
    **dict.fromkeys(("Density", "Discrete", "Law", "Samples"), "divkit.measures"),
    "as_measure": "divkit.adapters",
    "DIVERGENCES": "divkit.catalog",
    **dict.fromkeys(("alpha_divergence", "cressie_read"), "divkit.power_divergences"),
    **dict.fromkeys(
        ("DerivedDivergence", "FDivergence", "IPM", "VariationalForm", "Wasserstein"), "divkit.divergences"
    ),
    **dict.fromkeys(("METHODS", "Method"), "divkit.methods"),
    "Exact": "divkit.methods.exact",
    "ClosedForm": "divkit.methods.closed_form",
    "Quadrature": "divkit.methods.quadrature",
    "MonteCarlo": "divkit.methods.monte_carlo",
    "CrossFit": "divkit.methods.crossfit",
    "estimate_all": "divkit.methods.crossfit",
    "PlugIn": "divkit.methods.plugin",
    "KNN": "divkit.methods.knn",
    "KRCritic": "divkit.methods.kr",
    "NeuralBound": "divkit.methods.neural",
    "Binned": "divkit.methods.binned",
    "fdivergence_from_counts": "divkit.methods.binned",
    **dict.fromkeys(("donsker_varadhan", "fdiv_lower_bound"), "divkit.lower_bounds"),
    **dict.fromkeys(("Bounds", "wasserstein1_bounds"), "divkit.wasserstein_bounds"),
    "Line": "divkit.transport.line",
    "ColumnGeneration": "divkit.transport.column_generation",
    "EMD": "divkit.transport.emd",
    "transport_from_cost": "divkit.transport.emd",
    "LinearProgram": "divkit.transport.lp",
    "Sinkhorn": "divkit.transport.sinkhorn",
    "sinkhorn_divergence": "divkit.transport.debiased",
    **dict.fromkeys(("MaxSliced", "Sliced"), "divkit.transport.sliced"),
    "Coupling": "divkit.transport",
    "optimal_transport": "divkit.transport.coupling",
    "compare": "divkit.comparison.verb",
    "Comparison": "divkit.comparison.result",
    "two_sample_test": "divkit.two_sample.permutation",
    "TestResult": "divkit.two_sample.result",
    "Estimate": "divkit.result",
    "normalize": "divkit._checks",
    **dict.fromkeys(
        (
            "DegenerateDataWarning",
            "DivkitError",
            "DivkitWarning",
            "InvalidInput",
            "MissingDependency",
            "NotConverged",
            "UnreliableEstimateWarning",
            "Unsupported",
        ),
        "divkit._errors",
    ),
}
_MODULES = ("datasets", "exact", "examples", "families", "losses", "methods", "transport", "two_sample")

__all__ = ["__version__", *_PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"divkit.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("divkit")
    else:
        raise AttributeError(f"module 'divkit' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from divkit import (
        datasets as datasets,
    )
    from divkit import (
        exact as exact,
    )
    from divkit import (
        examples as examples,
    )
    from divkit import (
        families as families,
    )
    from divkit import (
        losses as losses,
    )
    from divkit import (
        methods as methods,
    )
    from divkit import (
        transport as transport,
    )
    from divkit import (
        two_sample as two_sample,
    )
    from divkit._checks import normalize as normalize
    from divkit._errors import (
        DegenerateDataWarning as DegenerateDataWarning,
    )
    from divkit._errors import (
        DivkitError as DivkitError,
    )
    from divkit._errors import (
        DivkitWarning as DivkitWarning,
    )
    from divkit._errors import (
        InvalidInput as InvalidInput,
    )
    from divkit._errors import (
        MissingDependency as MissingDependency,
    )
    from divkit._errors import (
        NotConverged as NotConverged,
    )
    from divkit._errors import (
        UnreliableEstimateWarning as UnreliableEstimateWarning,
    )
    from divkit._errors import (
        Unsupported as Unsupported,
    )
    from divkit.adapters import as_measure as as_measure
    from divkit.api import (
        estimate as estimate,
    )
    from divkit.api import (
        hellinger as hellinger,
    )
    from divkit.api import (
        jeffreys as jeffreys,
    )
    from divkit.api import (
        jsd as jsd,
    )
    from divkit.api import (
        kl as kl,
    )
    from divkit.api import (
        neyman_chi2 as neyman_chi2,
    )
    from divkit.api import (
        pearson_chi2 as pearson_chi2,
    )
    from divkit.api import (
        reverse_kl as reverse_kl,
    )
    from divkit.api import (
        squared_hellinger as squared_hellinger,
    )
    from divkit.api import (
        total_variation as total_variation,
    )
    from divkit.api import (
        wasserstein as wasserstein,
    )
    from divkit.api import (
        wasserstein1 as wasserstein1,
    )
    from divkit.catalog import DIVERGENCES as DIVERGENCES
    from divkit.comparison.result import Comparison as Comparison
    from divkit.comparison.verb import compare as compare
    from divkit.divergences import (
        IPM as IPM,
    )
    from divkit.divergences import (
        DerivedDivergence as DerivedDivergence,
    )
    from divkit.divergences import (
        FDivergence as FDivergence,
    )
    from divkit.divergences import (
        Wasserstein as Wasserstein,
    )
    from divkit.lower_bounds import donsker_varadhan as donsker_varadhan
    from divkit.lower_bounds import fdiv_lower_bound as fdiv_lower_bound
    from divkit.measures import (
        Density as Density,
    )
    from divkit.measures import (
        Discrete as Discrete,
    )
    from divkit.measures import (
        Law as Law,
    )
    from divkit.measures import (
        Samples as Samples,
    )
    from divkit.methods import (
        METHODS as METHODS,
    )
    from divkit.methods import (
        Method as Method,
    )
    from divkit.methods.binned import Binned as Binned
    from divkit.methods.binned import fdivergence_from_counts as fdivergence_from_counts
    from divkit.methods.closed_form import ClosedForm as ClosedForm
    from divkit.methods.crossfit import CrossFit as CrossFit
    from divkit.methods.crossfit import estimate_all as estimate_all
    from divkit.methods.exact import Exact as Exact
    from divkit.methods.knn import KNN as KNN
    from divkit.methods.kr import KRCritic as KRCritic
    from divkit.methods.monte_carlo import MonteCarlo as MonteCarlo
    from divkit.methods.neural import NeuralBound as NeuralBound
    from divkit.methods.plugin import PlugIn as PlugIn
    from divkit.methods.quadrature import Quadrature as Quadrature
    from divkit.power_divergences import (
        alpha_divergence as alpha_divergence,
    )
    from divkit.power_divergences import (
        cressie_read as cressie_read,
    )
    from divkit.result import Estimate as Estimate
    from divkit.transport import Coupling as Coupling
    from divkit.transport.column_generation import (
        ColumnGeneration as ColumnGeneration,
    )
    from divkit.transport.coupling import (
        optimal_transport as optimal_transport,
    )
    from divkit.transport.debiased import sinkhorn_divergence as sinkhorn_divergence
    from divkit.transport.emd import (
        EMD as EMD,
    )
    from divkit.transport.emd import (
        transport_from_cost as transport_from_cost,
    )
    from divkit.transport.line import Line as Line
    from divkit.transport.lp import LinearProgram as LinearProgram
    from divkit.transport.sinkhorn import Sinkhorn as Sinkhorn
    from divkit.transport.sliced import MaxSliced as MaxSliced
    from divkit.transport.sliced import Sliced as Sliced
    from divkit.two_sample.permutation import two_sample_test as two_sample_test
    from divkit.two_sample.result import TestResult as TestResult
    from divkit.variational import VariationalForm as VariationalForm
    from divkit.wasserstein_bounds import Bounds as Bounds
    from divkit.wasserstein_bounds import wasserstein1_bounds as wasserstein1_bounds

    __version__: str
