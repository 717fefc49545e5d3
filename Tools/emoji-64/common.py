"""Shared by the trainings: a resumable loop's state, the optimizer, the learning-rate curve, the moving average."""
import math
import os
import time
from pathlib import Path

import torch


def device():
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast():
    return torch.autocast(device().type, torch.bfloat16)


def save(state, path):
    """Atomic: a killed run leaves the previous checkpoint whole."""
    path = Path(path)
    beside = path.with_name(path.name + ".tmp")
    torch.save(state, beside)
    with open(beside, "rb") as file:
        os.fsync(file.fileno())
    beside.rename(path)


def load(path):
    return torch.load(path, map_location="cpu", weights_only=True) if Path(path).exists() else None


def learning_rate(progress, peak, warm_up=0.03, flat=0.3):
    """Warm-up, a flat part, then a cosine to 2 % of the peak; progress runs from 0 to 1."""
    if progress < warm_up:
        return peak * progress / warm_up + 1e-6
    if progress < flat:
        return peak
    x = min((progress - flat) / (1 - flat), 1)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * x)))


def join_processes():
    """Data parallelism on a CPU: two processes of one thread do more than one process of two threads (measured 2x)."""
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")


def world():
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def rank():
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


@torch.no_grad()
def sum_over_processes(tensors):
    if world() == 1:
        return
    flat = torch.cat([t.reshape(-1) for t in tensors])
    torch.distributed.all_reduce(flat)
    for t, part in zip(tensors, flat.split([t.numel() for t in tensors])):
        t.copy_(part.view(t.shape))


def agree(value):
    """Process 0's number, for all: the loops must end and save at the same step."""
    if world() == 1:
        return value
    box = torch.tensor([value], dtype=torch.float64)
    torch.distributed.broadcast(box, 0)
    return box.item()


class Average:
    """Exponential moving average of the trainable parameters, with a horizon that grows with the run."""

    def __init__(self, parameters, decay):
        self.decay, self.parameters, self.steps = decay, list(parameters), 0
        self.shadow = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self):
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        torch._foreach_lerp_(self.shadow, [p.detach() for p in self.parameters], 1 - decay)

    @torch.no_grad()
    def swap(self):
        """Exchanges the live weights and their average; call it twice around an evaluation."""
        for p, s in zip(self.parameters, self.shadow):
            kept = p.detach().clone()
            p.copy_(s)
            s.copy_(kept)


def _orthogonal(matrix, steps=5):
    """Newton-Schulz iteration of Muon (Keller Jordan, 2024): the nearest matrix with all singular values near 1.

    Every iterate is a polynomial of the Gram matrix times the start, so only small square matrices are iterated.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix) / (matrix.norm() + 1e-7)
    gram, eye = x @ x.T, torch.eye(x.shape[0], device=x.device)
    total, current = eye, gram
    for _ in range(steps):
        factor = a * eye + b * current + c * current @ current
        total = factor @ total
        current = factor @ current @ factor
    x = total @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, for matrices and convolutions (as out x rest)."""

    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.01):
        super().__init__(list(parameters), dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        """With several processes each one updates its share of the matrices, then all exchange them."""
        for group in self.param_groups:
            for index, p in enumerate(group["params"]):
                if p.grad is None:
                    continue
                if index % world() != rank():
                    p.zero_()
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                buffer = state["momentum"]
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buffer, group["momentum"]).reshape(p.shape[0], -1)
                update = _orthogonal(update) * max(1, update.shape[0] / update.shape[1]) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.reshape(p.shape), alpha=-group["lr"])
            sum_over_processes(group["params"])


class Optimizers:
    """Muon for the inner matrices, AdamW for everything else (norms, biases, embeddings, first and last layers)."""

    def __init__(self, named, muon_lr, adam_lr, outer=()):
        matrices, rest = [], []
        for name, p in named:
            inner = p.ndim >= 2 and min(p.shape[0], p[0].numel()) > 4 and not any(o in name for o in outer)
            (matrices if inner and muon_lr else rest).append(p)
        self.all = [(torch.optim.AdamW(rest, lr=adam_lr, betas=(0.9, 0.95), weight_decay=0.01, fused=True), adam_lr)]
        if matrices:
            self.all.append((Muon(matrices, muon_lr), muon_lr))

    def step(self, progress, clip=1.0):
        for optimizer, peak in self.all:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(progress, peak)
        everything = [p.grad for o, _ in self.all for g in o.param_groups for p in g["params"] if p.grad is not None]
        sum_over_processes(everything)
        if world() > 1:
            torch._foreach_div_(everything, world())
        adam = [p for g in self.all[0][0].param_groups for p in g["params"]]
        torch.nn.utils.clip_grad_norm_(adam, clip)
        for optimizer, _ in self.all:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self):
        return [o.state_dict() for o, _ in self.all]

    def load_state_dict(self, states):
        for (optimizer, _), state in zip(self.all, states):
            optimizer.load_state_dict(state)


class Clock:
    """Minutes of training so far, over all resumed parts."""

    def __init__(self, before=0.0):
        self.before, self.start = before, time.time()

    def minutes(self):
        return self.before + (time.time() - self.start) / 60
