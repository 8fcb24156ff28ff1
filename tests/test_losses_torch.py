"""`divkit.losses` inside torch: dtypes, devices, torch.func, the compiler, and what is refused."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from losses_problems import RTOL, general_position, orders, t, torch, value_and_gradients, weighted

import divkit
from divkit import InvalidInput, MissingDependency, Unsupported, losses
from divkit._loss_checks import check_one_device

func = torch.func


@pytest.fixture
def problem(rng: np.random.Generator) -> list[Any]:
    return general_position(rng)


# Types and devices


def test_float32_is_computed_in_float64_and_rounded_once(rng: np.random.Generator) -> None:
    x, y = (t(rng.normal(size=(6, 4)) + 100).float().requires_grad_() for _ in range(2))
    loss = losses.wasserstein(x, y, 2)
    loss.backward()
    value, gradients = value_and_gradients(x.detach().double(), y.detach().double(), 2)
    assert loss.dtype == x.grad.dtype == torch.float32
    assert loss.item() == np.float32(value)
    np.testing.assert_array_equal(x.grad.numpy(), gradients[0].astype(np.float32))


def test_the_wider_dtype_of_the_points_is_that_of_the_loss() -> None:
    x, weights = torch.tensor([0.0]), torch.tensor([1.0], dtype=torch.float64)
    assert losses.wasserstein(x, t([1.0])).dtype == torch.float64
    assert losses.wasserstein(x, x, x_weights=weights).dtype == torch.float32


def test_the_loss_is_a_scalar_without_graph_where_nothing_requires_one(problem: list[Any]) -> None:
    loss = weighted(*problem, 2)
    assert loss.shape == ()
    assert not loss.requires_grad


def test_the_inputs_are_not_modified(problem: list[Any]) -> None:
    before = [(argument.clone(), argument._version) for argument in problem]
    torch.autograd.grad(weighted(*(argument.requires_grad_() for argument in problem), 2), problem)
    for argument, (copy, version) in zip(problem, before, strict=True):
        assert torch.equal(argument, copy)
        assert argument._version == version


def test_views_and_strides_do_not_matter(problem: list[Any]) -> None:
    x, y, _, _ = problem
    strided = torch.stack([x, x], dim=-1)[..., 1]
    assert not strided.is_contiguous()
    assert losses.wasserstein(strided, y, 2).item() == losses.wasserstein(x, y, 2).item()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_tensors_on_a_gpu_give_the_loss_and_the_gradient_there(problem: list[Any]) -> None:
    there = [argument.cuda().requires_grad_() for argument in problem]
    loss = weighted(*there, 2)
    gradients = torch.autograd.grad(loss, there)
    expected = torch.autograd.grad(weighted(*(argument.requires_grad_() for argument in problem), 2), problem)
    assert loss.device == there[0].device
    for gradient, other in zip(gradients, expected, strict=True):
        assert gradient.device == loss.device
        assert torch.equal(gradient.cpu(), other)
    with pytest.raises(InvalidInput, match="all tensors must be on one device, got x on cuda:0, y on cpu"):
        losses.wasserstein(there[0], problem[1])


# torch.func


@orders
def test_func_grad_is_backward(p: float, problem: list[Any]) -> None:
    by_func = func.grad(lambda *given: weighted(*given, p), (0, 1, 2, 3))(*problem)
    _, by_backward = value_and_gradients(*(problem[k] for k in (0, 1)), p, *(problem[k] for k in (2, 3)))
    for gradient, other in zip(by_func, by_backward, strict=True):
        np.testing.assert_array_equal(gradient.numpy(), other)


def test_func_jacrev_is_func_grad(problem: list[Any]) -> None:
    by_grad = func.grad(lambda *given: weighted(*given, 2), (0, 2))(*problem)
    by_jacrev = func.jacrev(lambda *given: weighted(*given, 2), (0, 2))(*problem)
    for gradient, other in zip(by_grad, by_jacrev, strict=True):
        np.testing.assert_allclose(other.numpy(), gradient.numpy(), rtol=RTOL)


# torch compiles helpers of forward mode with a function that it has itself deprecated.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_forward_mode_in_the_points_is_the_gradient_times_the_move(problem: list[Any]) -> None:
    x, y, _, _ = problem
    move = torch.cos(x)
    _, along = func.jvp(lambda x: losses.wasserstein(x, y, 3), (x,), (move,))
    gradient = func.grad(losses.wasserstein)(x, y, 3)
    assert math.isclose(along.item(), (gradient * move).sum().item(), rel_tol=RTOL, abs_tol=RTOL)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_the_hessian_of_func_is_that_of_autograd(problem: list[Any]) -> None:
    x, y, _, _ = problem
    hessian = func.hessian(lambda x: losses.wasserstein(x, y, 2))(x)
    expected = torch.autograd.functional.hessian(lambda x: losses.wasserstein(x, y, 2), x)
    # The hessian of W_2 has entries of about 1 / (n W_2), here below 1.
    np.testing.assert_allclose(hessian.numpy(), expected.numpy(), rtol=0, atol=RTOL)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_forward_mode_with_weights_is_refused(problem: list[Any]) -> None:
    x, y, a, b = problem
    with pytest.raises(Unsupported, match=r"forward-mode derivatives .* use reverse mode"):
        func.jvp(lambda x: weighted(x, y, a, b, 2), (x,), (x,))
    with pytest.raises(Unsupported, match=r"forward-mode derivatives .* use reverse mode"):
        func.jvp(lambda a: weighted(x, y, a, b, 2), (a,), (a,))
    with pytest.raises(Unsupported, match=r"forward-mode derivatives .* use reverse mode"):
        func.hessian(lambda x: weighted(x, y, a, b, 2))(x)


@pytest.mark.parametrize("batched", [0, 1, 2])
def test_vmap_over_problems_is_refused(batched: int, problem: list[Any]) -> None:
    given = [argument[None] if k == batched else argument for k, argument in enumerate(problem)]
    dims = tuple(0 if k == batched else None for k in range(4))
    with pytest.raises(Unsupported, match=r"torch\.vmap over this loss is not supported.*torch\.stack"):
        torch.vmap(lambda *given: weighted(*given, 1), dims)(*given)


@pytest.mark.parametrize(("first", "second"), [(0, 2), (2, 0), (1, 2), (3, 1)])
def test_second_derivatives_that_mix_points_with_weights_are_refused(
    first: int, second: int, problem: list[Any]
) -> None:
    arguments = [argument.requires_grad_() for argument in problem]
    (gradient,) = torch.autograd.grad(weighted(*arguments, 2), arguments[first], create_graph=True)
    with pytest.raises(Unsupported, match="second derivatives that mix points with weights are not supported"):
        torch.autograd.grad(gradient.square().sum(), arguments[second])


def test_mixed_second_derivatives_of_func_are_refused(problem: list[Any]) -> None:
    mixed = func.jacrev(func.jacrev(lambda *given: weighted(*given, 2), 2), 0)
    with pytest.raises(Unsupported, match="second derivatives that mix points with weights are not supported"):
        mixed(*problem)


@pytest.mark.parametrize("slope", [math.inf, math.nan])
def test_a_non_finite_slope_from_above_passes_through(slope: float, problem: list[Any]) -> None:
    arguments = [argument.requires_grad_() for argument in problem]
    (gradient,) = torch.autograd.grad(slope * weighted(*arguments, 2), arguments[:1])
    assert not torch.isfinite(gradient).any()


# Both come from inside torch's compiler: a deprecated import, and a look at an attribute of an intermediate tensor.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute:UserWarning")
def test_a_compiled_function_around_the_loss_has_its_value_and_gradient(problem: list[Any]) -> None:
    arguments = [argument.requires_grad_() for argument in problem]
    expected = (2 * weighted(*arguments, 2)).square()
    compiled = torch.compile(lambda *given: (2 * weighted(*given, 2)).square(), backend="eager")(*arguments)
    assert compiled.item() == expected.item()
    gradients = [torch.autograd.grad(loss, arguments) for loss in (compiled, expected)]
    for gradient, other in zip(*gradients, strict=True):
        np.testing.assert_array_equal(gradient.numpy(), other.numpy())


# What is refused


X, Y = torch.zeros(2, 2), torch.ones(3, 2)
REFUSED: list[tuple[Any, Any, dict[str, Any], str]] = [
    (np.zeros(2), Y, {}, r"x must be a torch\.Tensor, got ndarray; pass torch\.as_tensor\(x\)"),
    (X, [1.0], {}, r"y must be a torch\.Tensor, got list"),
    (X.half(), Y, {}, r"x must be float32 or float64, got torch\.float16; pass x\.float\(\)"),
    (X, Y.bfloat16(), {}, r"y must be float32 or float64, got torch\.bfloat16"),
    (X, Y.long(), {}, r"y must be float32 or float64, got torch\.int64"),
    (X, Y.cfloat(), {}, r"y must be float32 or float64, got torch\.complex64"),
    (X.to("meta"), Y, {}, "x must be a dense tensor with values"),
    (X.to_sparse(), Y, {}, "x must be a dense tensor with values"),
    (X[:0], Y, {}, "x is empty"),
    (X[:, :0], Y[:, :0], {}, "its points have no coordinates"),
    (X[0, 0], Y, {}, r"x must have shape \(n,\) or \(n, d\), got \(\)"),
    (X[None], Y, {}, r"x must have shape \(n,\) or \(n, d\), got \(1, 2, 2\)"),
    (X, Y[:, 0], {}, "x and y must have the same number of columns, got 2 and 1"),
    (X, Y * math.nan, {}, r"y must be finite, but y\[\(0, 0\)\] is nan"),
    (X, Y * math.inf, {}, r"y must be finite, but y\[\(0, 0\)\] is inf"),
    (X - 3e38, Y * 3e38, {}, r"distances between x and y exceed 3\.4e\+38, the range of their dtype"),
    (X.double() - 1.7e308, Y * 1.0, {}, "distances between x and y exceed"),
    (X, Y, {"p": 0.5}, r"p must be a number >= 1"),
    (X, Y, {"p": math.inf}, "p must be finite for a loss"),
    (X, Y, {"p": torch.tensor(2.0)}, r"p must be a number >= 1"),
    (X, Y, {"x_weights": [1.0, 1.0]}, r"x_weights must be a torch\.Tensor, got list"),
    (X, Y, {"x_weights": torch.tensor([1, 2])}, "x_weights must be float32 or float64"),
    (X, Y, {"x_weights": torch.ones(3)}, r"x_weights must have shape \(2,\)"),
    (X, Y, {"y_weights": torch.zeros(3)}, "y_weights sums to 0"),
    (X, Y, {"y_weights": torch.tensor([1.0, -1.0, 1.0])}, r"y_weights must be non-negative, but y_weights\[1\] is -1"),
    (X, Y, {"y_weights": torch.tensor([1.0, math.nan, 1.0])}, r"y_weights must be finite, but y_weights\[1\] is nan"),
    (X, Y, {"method": "none"}, "method must be one of auto"),
    (X, Y, {"method": divkit.EMD}, r"pass EMD\(\)"),
]


@pytest.mark.parametrize(("x", "y", "options", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_invalid_arguments_are_refused_with_the_remedy(x: Any, y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        losses.wasserstein(x, y, **options)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("exact", "method 'exact' gives no plan"),
        (
            divkit.EMD(metric="cityblock"),
            "differentiates the Euclidean distance, but the method has metric 'cityblock'",
        ),
        (divkit.EMD(max_pairs=5), "max_pairs is 5"),
    ],
)
def test_methods_that_do_not_serve_are_refused(method: Any, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        losses.wasserstein(X, Y, method=method)


def test_tensors_on_two_devices_are_refused() -> None:
    # A stand-in for a GPU: the public function refuses tensors without values earlier.
    tensors = {"x": X, "y_weights": Y.to("meta")}
    with pytest.raises(InvalidInput, match="all tensors must be on one device, got x on cpu, y_weights on meta; move"):
        check_one_device(tensors)


def test_without_torch_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependency, match=r'torch is needed here.*"divkit\[neural\]"'):
        losses.wasserstein(X, Y)


def test_importing_the_module_does_not_import_torch() -> None:
    code = "import sys, divkit.losses; print('torch' in sys.modules, 'scipy' in sys.modules, 'ot' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False", "False"]
