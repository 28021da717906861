"""Build what trains a model: its optimizers, its replicas and the list of their random generators."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tui_gpt.config import TrainConfig
from tui_gpt.models.build import LanguageModel, build_model
from tui_gpt.models.classic import Classic
from tui_gpt.models.ensemble import networks_of
from tui_gpt.models.modern import Modern
from tui_gpt.training.budget.memory import MemoryLimits, windows_per_pass
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.compute.replicas import Replicas, share_parameters
from tui_gpt.training.optim.adamw import AdamW, Optimizer
from tui_gpt.training.optim.muon import Muon

EMBEDDING_LR_SCALE = 0.15
"""AdamW's learning rate for embeddings as a multiple of the run's, which is Muon's."""
HEAD_LR_SCALE = 0.05
SCALAR_LR_SCALE = 0.25

TOKENS_PER_PASS = 4_096
"""Tokens that one network on a CPU processes in a forward and backward pass: the activations of more leave the
caches."""

ParameterGroup = dict[str, Any]


def build_optimizers(model: LanguageModel, config: TrainConfig, replicas: Replicas | None = None) -> list[Optimizer]:
    """Return the optimizers of all parameters; Muon uses the threads of `replicas`.

    The `lr_scale` of a parameter group is its learning rate as a multiple of the run's.
    """
    if not isinstance(model, Classic) and config.optimizer == "muon":
        return muon_optimizers(networks_of(model), config, replicas)
    decayed = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    plain = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups: list[ParameterGroup] = [
        {"params": decayed, "weight_decay": config.weight_decay, "lr_scale": 1.0},
        {"params": plain, "weight_decay": 0.0, "lr_scale": 1.0},
    ]
    used = [group for group in groups if group["params"]]
    return [AdamW(used, lr=config.learning_rate, betas=(config.beta1, config.beta2))]


def muon_optimizers(
    networks: Sequence[Modern], config: TrainConfig, replicas: Replicas | None = None
) -> list[Optimizer]:
    """Return Muon for the matrices in the blocks, run on the threads of `replicas`, and AdamW for the rest."""
    in_blocks = [parameter for network in networks for parameter in network.blocks.parameters()]
    matrices: list[ParameterGroup] = [{"params": in_blocks, "lr_scale": 1.0}]
    threads: dict[str, Any] = {"parts": len(replicas.models), "run_parallel": replicas.run_parallel} if replicas else {}
    muon = Muon(matrices, lr=config.learning_rate, weight_decay=config.weight_decay, **threads)
    groups = [group for network in networks for group in _adamw_groups(network)]
    adamw = AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    return [muon, adamw]


def _adamw_groups(network: Modern) -> list[ParameterGroup]:
    """Return the parameters outside the blocks, grouped by the scale of their learning rate."""
    embeddings: list[Tensor] = [network.token_embedding.weight]
    heads: list[Tensor] = [network.head]
    scalars: list[list[Tensor]] = []
    if network.ngram_embedding is not None:
        embeddings.append(network.ngram_embedding.weight)
    if network.config.ngram_order:
        embeddings.append(network.prior_embedding)
        heads.append(network.prior_trust)
        scalars.append([network.prior_gate])
    if network.induction is not None:
        embeddings.append(network.induction.embedding)
        heads.append(network.induction.gate)
        scalars.append([network.induction.follower_bias, network.induction.candidate_bias])
    return [
        {"params": embeddings, "lr_scale": EMBEDDING_LR_SCALE},
        {"params": heads, "lr_scale": HEAD_LR_SCALE},
        *({"params": group, "lr_scale": SCALAR_LR_SCALE} for group in scalars),
    ]


def build_replicas(model: LanguageModel, config: TrainConfig, compute: ComputeDevice) -> Replicas:
    """Return `model` and replicas that share its parameters, each with its own dropout generator.

    With one replica per core, PyTorch gets a single OpenMP thread per replica: idle OpenMP threads spin and starve
    other programs.
    """
    count = compute.replica_count(config)
    cores = max(1, compute.cores // count)
    torch.set_num_threads(cores)
    models = [model]
    for number in range(1, count):
        replica = build_model(model.config, model.vocab_size, config.seed + number)
        share_parameters(model, replica)
        models.append(replica)
    most_windows = _max_windows_per_pass(model, compute, count)
    for replica in models:
        replica.dropout.move_generator(compute.device)
    return Replicas(models, compute.device, cores, most_windows, model.config.networks, compute.precision)


def _max_windows_per_pass(model: LanguageModel, compute: ComputeDevice, replicas: int) -> int:
    """Return how many windows a replica processes at a time, for its memory and, on a CPU, for its caches.

    An ensemble divides its windows among its members anyway.
    """
    limits = MemoryLimits.of(compute.capabilities, compute.precision)
    in_memory = windows_per_pass(model.config, model.vocab_size, replicas, limits)
    if model.config.networks > 1 or compute.device.type != "cpu":
        return in_memory
    return min(in_memory, max(1, TOKENS_PER_PASS // model.config.block_size))


def random_generators(replicas: Replicas) -> dict[str, torch.Generator]:
    """Return the private random generators of the replicas, by name.

    A generator on a GPU has another name: its state means nothing to one on the CPU, which a resume may have instead.
    """
    generators = [replica.dropout.generator for replica in replicas.models if isinstance(replica, LanguageModel)]
    return {
        f"dropout.{number}" if one.device.type == "cpu" else f"{one.device.type}.dropout.{number}": one
        for number, one in enumerate(generators)
    }
