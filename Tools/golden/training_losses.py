"""Ten training steps of plain and Directional Textual Inversion, with all that was drawn for them."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import textual_inversion as ti
import tiny_tokenizer
from tiny_models import TinyModel

STEPS = 10
BATCH = 2
INITIALIZER = "cat"


@dataclass(frozen=True)
class Case:
    name: str
    model: str
    method: str  # 'ti' or 'dti'
    learning_rate: float
    vectors: int = 1
    accumulate: int = 1

    def metadata(self) -> dict[str, str]:
        """One entry, because safetensors writes several in no fixed order."""
        return {"case": json.dumps(vars(self) | {"initializer": INITIALIZER})}


CASES = [
    Case("ti-epsilon", "sd1-tiny", "ti", 5e-3),
    Case("ti-velocity", "sd2-tiny", "ti", 5e-3),
    Case("dti-epsilon", "sd1-tiny", "dti", 1e-2),
    Case("dti-accumulated", "distilled-tiny", "dti", 1e-2, vectors=2, accumulate=2),
]


class AdamW:
    """What diffusers' script leaves of AdamW on the whole table after it restores all other rows."""

    def __init__(self, rows: Tensor, _vocabulary: Tensor, learning_rate: float) -> None:
        self.rows = torch.nn.Parameter(rows.clone())
        self.optimizer = torch.optim.AdamW(
            [self.rows], lr=learning_rate, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8
        )

    def step(self, gradient: Tensor) -> Tensor:
        self.rows.grad = gradient
        self.optimizer.step()
        return self.rows.data


class Directional:
    """Directional Textual Inversion: the norm is the vocabulary's mean, only the direction is learned."""

    PRIOR = 1e-4  # kappa
    EPSILON = 1e-8

    def __init__(self, rows: Tensor, vocabulary: Tensor, learning_rate: float) -> None:
        self.norm = vocabulary.norm(dim=1).mean()
        self.prior_mean = rows / rows.norm(dim=1, keepdim=True)
        self.direction = self.prior_mean.clone()
        self.learning_rate = learning_rate
        self.rows = self.norm * self.direction

    def step(self, gradient: Tensor) -> Tensor:
        gradient = gradient - self.PRIOR * self.prior_mean
        gradient = gradient - (gradient * self.direction).sum(1, keepdim=True) * self.direction
        gradient = gradient / (gradient.norm(dim=1, keepdim=True) + self.EPSILON)
        moved = self.direction - self.learning_rate * gradient
        self.direction = moved / moved.norm(dim=1, keepdim=True)
        return self.norm * self.direction


METHODS: dict[str, Callable] = {"ti": AdamW, "dti": Directional}


def golden_losses(model: TinyModel, case: Case) -> dict[str, Tensor]:
    """Losses (10), rows before the first step and after each (11, N, C), and the batches, one behind the other."""
    model.to(torch.float32)
    generator = torch.Generator().manual_seed(400 + CASES.index(case))
    table = model.text_encoder.get_input_embeddings().weight.data[: tiny_tokenizer.vocabulary_size()]
    initializer = model.tokenizer(INITIALIZER, add_special_tokens=False).input_ids
    method = METHODS[case.method](table[initializer].repeat(case.vectors, 1), table, case.learning_rate)
    rows, losses, batches = [method.rows.detach().clone()], [], []
    for _ in range(STEPS):
        weight = ti.append_rows(model, rows[-1])
        step_losses = []
        for _ in range(case.accumulate):
            batch = ti.draw_batch(model, BATCH, case.vectors, generator)
            loss = ti.loss(model, batch)
            (loss / case.accumulate).backward()
            step_losses.append(loss.detach())
            batches.append(batch)
        losses.append(torch.stack(step_losses).mean())
        rows.append(method.step(weight.grad[-case.vectors :]).detach().clone())
    drawn = {name: torch.stack([getattr(batch, name) for batch in batches]) for name in vars(batches[0])}
    return {"losses": torch.stack(losses), "rows": torch.stack(rows)} | drawn
