"""Muon: momentum whose update is orthogonalised (Jordan et al. 2024), for the matrices in the blocks.

A few singular directions dominate a gradient; Muon equalises them. `torch.optim.Muon` is not used for three reasons: it
iterates in bfloat16, which most CPUs emulate; it takes one matrix at a time and 2-D parameters only, while this one
stacks all matrices of a shape (and reads a (3, C, C) parameter as three), iterates on their Gram matrices in the
smaller dimension, and splits the stacks among threads; and creating it imports PyTorch's compiler (see adamw.py).
Everything that is not a matrix in a block (embeddings, the head, scalars) belongs to AdamW.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tui_gpt.models.linear import batched_matmul_nt
from tui_gpt.training.optim.adamw import Optimizer

Coefficients = tuple[float, float, float]
RunParallel = Callable[[Sequence[Callable[[], None]]], object]
"""Runs independent jobs."""

QUINTICS: tuple[Coefficients, ...] = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)
"""Coefficients a, b, c of each iteration x (a + b x² + c x⁴); all five bring singular values in (0, 1] close to 1."""


def orthogonalised(matrices: Tensor, quintics: Sequence[Coefficients] = QUINTICS) -> Tensor:
    """Return (..., rows, columns): each matrix U S Vᵀ replaced by about U Vᵀ, by Newton-Schulz iteration.

    Each step multiplies X by a polynomial of its Gram matrix X Xᵀ. These polynomials commute, so their product and
    the Gram matrix are kept in the smaller dimension, and X itself is multiplied once, at the end. They are symmetric
    too, so the order and transposition of factors do not matter.
    """
    rows, columns = matrices.shape[-2:]
    X = _as_wide(matrices).reshape(-1, min(rows, columns), max(rows, columns))
    X = X / (torch.linalg.matrix_norm(X, keepdim=True) + 1e-7)
    gram = batched_matmul_nt(X, X)
    polynomial = _polynomial(gram, quintics[0])
    product = polynomial
    for coefficients in quintics[1:]:
        gram = batched_matmul_nt(batched_matmul_nt(polynomial, gram), polynomial)
        polynomial = _polynomial(gram, coefficients)
        product = batched_matmul_nt(polynomial, product)
    X = batched_matmul_nt(product, X.mT)
    return (X.mT if rows > columns else X).reshape(matrices.shape)


def _polynomial(gram: Tensor, coefficients: Coefficients) -> Tensor:
    """Return a I + b G + c G² for a stack of Gram matrices G."""
    a, b, c = coefficients
    polynomial = batched_matmul_nt(gram, gram).mul_(c).add_(gram, alpha=b)
    polynomial.diagonal(dim1=-2, dim2=-1).add_(a)
    return polynomial


def _as_wide(matrix: Tensor) -> Tensor:
    """Return the matrix, or its transpose if it has more rows than columns."""
    return matrix.mT if matrix.shape[-2] > matrix.shape[-1] else matrix


def _wide_shape(matrix: Tensor) -> tuple[int, int]:
    rows, columns = matrix.shape[-2:]
    return min(rows, columns), max(rows, columns)


def _flops(parameter: Tensor) -> int:
    """Return the number of multiplications in one step of a parameter."""
    small, large = _wide_shape(parameter)
    products_of_grams = 4 * len(QUINTICS) - 3
    return parameter.numel() // (small * large) * small**2 * (2 * large + products_of_grams * small)


def _partition(parameters: Sequence[Tensor], count: int) -> list[list[Tensor]]:
    """Divide parameters into at most `count` non-empty parts of about equal work.

    Greedy: the largest parameter first, each into the part with the least work.
    """
    parts: list[list[Tensor]] = [[] for _ in range(count)]
    work = [0] * count
    for parameter in sorted(parameters, key=_flops, reverse=True):
        least = work.index(min(work))
        parts[least].append(parameter)
        work[least] += _flops(parameter)
    return [part for part in parts if part]


def _run_sequentially(jobs: Sequence[Callable[[], None]]) -> None:
    for job in jobs:
        job()


class Muon(Optimizer):
    """Orthogonalised Nesterov momentum with decoupled weight decay.

    Parameters have at least two dimensions; leading ones count matrices, so a (3, C, C) projection to queries, keys
    and values is three. The momentum rises from `MOMENTUM_START` to `momentum` over the first `MOMENTUM_STEPS`
    steps. The parameters are divided into `parts` of about equal work, which `run_parallel` may run in parallel.
    """

    MOMENTUM_START = 0.85
    MOMENTUM_STEPS = 200

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
        *,
        parts: int = 1,
        run_parallel: RunParallel = _run_sequentially,
    ) -> None:
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay)
        self._parts = parts
        self._run_parallel = run_parallel
        for group in self.param_groups:
            if any(p.ndim < 2 for p in group["params"]):
                raise ValueError("Muon takes matrices only: give vectors and scalars to AdamW.")

    @torch.no_grad()
    def step(self, is_finite: Tensor | None = None) -> None:
        """See `Optimizer.step`; where it is not read, a skipped step counts in the momentum's rise."""
        for group in self.param_groups:
            self._step_group(group, is_finite)

    def _step_group(self, group: dict[str, Any], is_finite: Tensor | None) -> None:
        parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
        parts = _partition(parameters, self._parts)
        self._run_parallel([partial(self._step_part, group, part, is_finite) for part in parts])

    @torch.no_grad()
    def _step_part(self, group: dict[str, Any], parameters: Sequence[Tensor], is_finite: Tensor | None) -> None:
        lr = group["lr"] if is_finite is None else group["lr"] * is_finite
        shapes: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
        for parameter in parameters:
            direction = self._momentum_direction(parameter, group["momentum"], is_finite)
            shapes.setdefault(_wide_shape(parameter), []).append((parameter, direction))
        for (small, large), members in shapes.items():
            wide = [_as_wide(direction).reshape(-1, small, large) for _, direction in members]
            updates = torch.split(orthogonalised(torch.cat(wide)), [len(w) for w in wide])
            for (parameter, _), update in zip(members, updates, strict=True):
                _apply(parameter, update, lr, group["weight_decay"])

    def _momentum_direction(self, parameter: Tensor, momentum: float, is_finite: Tensor | None) -> Tensor:
        """Return the direction of Nesterov momentum, and count the step."""
        assert parameter.grad is not None
        if parameter not in self.state:
            steps = torch.zeros((), dtype=torch.int64)
            self.state[parameter] = {"step": steps, "momentum": torch.zeros_like(parameter)}
        state = self.state[parameter]
        progress = min(int(state["step"]) / self.MOMENTUM_STEPS, 1.0)
        momentum = self.MOMENTUM_START + progress * (momentum - self.MOMENTUM_START)
        state["step"] += 1
        gradient = parameter.grad
        if is_finite is not None:  # the momentum stays as it is where the gradient equals it
            gradient = torch.where(is_finite, gradient, state["momentum"])
        state["momentum"].lerp_(gradient, 1 - momentum)
        return torch.lerp(gradient, state["momentum"], momentum)


def _apply(parameter: Tensor, update: Tensor, lr: float | Tensor, weight_decay: float) -> None:
    """Apply weight decay, then the update, scaled so that tall and wide matrices change a layer's outputs alike."""
    rows, columns = parameter.shape[-2:]
    if rows > columns:
        update = update.mT
    parameter.mul_(1 - lr * weight_decay)
    scale = -lr * max(1.0, rows / columns) ** 0.5
    if isinstance(scale, Tensor):
        parameter.add_(update.reshape(parameter.shape) * scale)
    else:
        parameter.add_(update.reshape(parameter.shape), alpha=scale)
