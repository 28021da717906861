"""Muon against the definition it approximates."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tui_gpt.training.checkpoints.copies import copied_optimizers, restore_optimizers
from tui_gpt.training.optim.muon import QUINTICS, Muon, _flops, _partition, orthogonalised


def polar_factor(matrix: torch.Tensor) -> torch.Tensor:
    u, _, vt = torch.linalg.svd(matrix, full_matrices=False)
    return torch.matmul(u, vt)


@pytest.mark.parametrize("shape", [(4, 24, 24), (2, 16, 64), (3, 64, 16), (32, 20)])
def test_newton_schulz_comes_close_to_the_svd(shape: tuple[int, ...]) -> None:
    """Singular vectors are kept; singular values come out near one, as Muon's published coefficients promise."""
    exact = polar_factor(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    small = min(shape[-2:])
    stretch = torch.diag(torch.logspace(-2, 0, small))
    matrices = stretch @ exact if shape[-2] == small else exact @ stretch
    exact = polar_factor(matrices)
    found = orthogonalised(matrices)
    singular = torch.linalg.svdvals(found)
    assert singular.min() > 0.6
    assert singular.max() < 1.35
    inside = exact.mT @ found if shape[-2] >= shape[-1] else found @ exact.mT
    torch.testing.assert_close(inside, inside.mT, atol=2e-3, rtol=0)


def test_more_steps_come_as_close_as_wanted() -> None:
    """With the classical cubic iteration at the end the result is the polar factor itself."""
    matrices = torch.randn(3, 12, 20, generator=torch.Generator().manual_seed(1))
    found = orthogonalised(matrices, (*QUINTICS, *[(1.5, -0.5, 0.0)] * 6))
    torch.testing.assert_close(found, polar_factor(matrices), atol=1e-3, rtol=0)


def test_first_step_moves_along_the_orthogonalised_gradient() -> None:
    """From rest, every direction of the gradient counts alike; decay and the shape's scale are as documented."""
    generator = torch.Generator().manual_seed(2)
    for rows, columns in ((16, 16), (32, 8), (8, 32)):
        parameter = torch.nn.Parameter(torch.randn(rows, columns, generator=generator))
        before = parameter.detach().clone()
        parameter.grad = torch.randn(rows, columns, generator=generator)
        Muon([parameter], lr=0.1, weight_decay=0.5).step()
        moved = before * (1 - 0.1 * 0.5) - parameter.detach()
        expected = 0.1 * max(1.0, rows / columns) ** 0.5 * orthogonalised(parameter.grad)
        torch.testing.assert_close(moved, expected, atol=1e-5, rtol=1e-4)


def test_stacked_matrices_get_the_same_updates_as_single_ones() -> None:
    """Queries, keys and values in one parameter are three matrices, and batching by shape changes nothing."""
    generator = torch.Generator().manual_seed(3)
    values, gradients = (torch.randn(3, 10, 10, generator=generator) for _ in range(2))
    stacked = torch.nn.Parameter(values.clone())
    single = [torch.nn.Parameter(value.clone()) for value in values]
    tall = torch.nn.Parameter(torch.randn(40, 10, generator=generator))
    together, apart = Muon([stacked, tall]), Muon(single)
    for _ in range(3):
        stacked.grad, tall.grad = gradients.clone(), torch.ones(40, 10)
        for parameter, gradient in zip(single, gradients, strict=True):
            parameter.grad = gradient.clone()
        together.step()
        apart.step()
    torch.testing.assert_close(stacked.detach(), torch.stack([p.detach() for p in single]), atol=1e-5, rtol=1e-4)


def test_a_restored_optimizer_continues_exactly() -> None:
    """state_dict holds tensors only, and enough of them."""
    parameters = [torch.nn.Parameter(torch.eye(6)) for _ in range(2)]
    first, second = Muon([parameters[0]]), Muon([parameters[1]])

    def step(optimizer: Muon, parameter: torch.nn.Parameter, number: int) -> None:
        parameter.grad = torch.randn(6, 6, generator=torch.Generator().manual_seed(number))
        optimizer.step()

    for number in range(3):
        step(first, parameters[0], number)
        step(second, parameters[1], number)
    restored = Muon([parameters[1]])
    restore_optimizers([restored], copied_optimizers([second]))
    for number in range(3, 6):
        step(first, parameters[0], number)
        step(restored, parameters[1], number)
    assert torch.equal(parameters[0], parameters[1])


def test_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="matrices only"):
        Muon([torch.nn.Parameter(torch.zeros(3))])


def test_parameters_divided_among_threads_get_the_same_updates() -> None:
    generator = torch.Generator().manual_seed(4)
    shapes = [(3, 12, 12), (12, 12), (48, 12), (12, 48), (12, 12)]
    alone, shared = (
        [torch.nn.Parameter(torch.ones(shape) * number) for number, shape in enumerate(shapes)] for _ in range(2)
    )
    gradients = [torch.randn(shape, generator=generator) for shape in shapes]
    with ThreadPoolExecutor(2) as threads:
        together = Muon(shared, parts=2, run_parallel=lambda jobs: list(threads.map(lambda job: job(), jobs)))
        for optimizer, parameters in ((Muon(alone), alone), (together, shared)):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            optimizer.step()
    for one, other in zip(alone, shared, strict=True):
        torch.testing.assert_close(one, other)
    assert not torch.equal(alone[0], torch.zeros(shapes[0]))


def test_parts_have_about_equal_work_and_none_is_empty() -> None:
    layer = [torch.empty(3, 16, 16), torch.empty(16, 16), torch.empty(64, 16), torch.empty(16, 64)]
    parts = _partition(layer * 3, 2)
    work = [sum(map(_flops, part)) for part in parts]
    assert sum(map(len, parts)) == 12
    assert max(work) < 1.1 * min(work)
    assert len(_partition(layer[:1], 2)) == 1
