"""Timesteps and steps of diffusers' and k-diffusion's samplers, over a made-up network of four latents."""

import importlib.util
import json
import math
import sys
import types
from pathlib import Path

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSDEScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    KDPM2AncestralDiscreteScheduler,
    KDPM2DiscreteScheduler,
    LCMScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

# Name, class, and what the class must be told beside the model's config.
SAMPLERS = {
    "ddim": (DDIMScheduler, {}),
    "ddpm": (DDPMScheduler, {}),
    "euler": (EulerDiscreteScheduler, {}),
    "euler_a": (EulerAncestralDiscreteScheduler, {}),
    "heun": (HeunDiscreteScheduler, {}),
    "lms": (LMSDiscreteScheduler, {}),
    "dpm2": (KDPM2DiscreteScheduler, {}),
    "dpm2_a": (KDPM2AncestralDiscreteScheduler, {}),
    "dpmpp_2m": (DPMSolverMultistepScheduler, {}),
    "dpmpp_2m_sde": (DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_sde": (DPMSolverSDEScheduler, {}),
    "unipc": (UniPCMultistepScheduler, {}),
    "plms": (PNDMScheduler, {"skip_prk_steps": True}),
    "lcm": (LCMScheduler, {}),
    # Not in diffusers: k-diffusion's functions, over the noise levels of the class.
    "dpmpp_2s_a": (EulerDiscreteScheduler, {}),
    "dpmpp_3m_sde": (EulerDiscreteScheduler, {}),
}
K_DIFFUSION = {"dpmpp_2s_a": "sample_dpmpp_2s_ancestral", "dpmpp_3m_sde": "sample_dpmpp_3m_sde"}
STABLE_DIFFUSION = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "clip_sample": False,
}
VELOCITY = {"prediction_type": "v_prediction"}
CONFIGS = {
    "spacing by sampler": STABLE_DIFFUSION,
    "leading": STABLE_DIFFUSION | {"timestep_spacing": "leading"},
    "linspace": STABLE_DIFFUSION | {"timestep_spacing": "linspace"} | VELOCITY,
    "trailing": STABLE_DIFFUSION | {"timestep_spacing": "trailing"},
    "trailing, zero terminal SNR": STABLE_DIFFUSION
    | {"timestep_spacing": "trailing", "rescale_betas_zero_snr": True}
    | VELOCITY,
    "karras": STABLE_DIFFUSION | {"use_karras_sigmas": True},
    "karras, leading": STABLE_DIFFUSION | {"use_karras_sigmas": True, "timestep_spacing": "leading"} | VELOCITY,
    "exponential": STABLE_DIFFUSION | {"use_exponential_sigmas": True},
    "cosine": {"beta_schedule": "squaredcos_cap_v2", "set_alpha_to_one": True, "clip_sample": False} | VELOCITY,
    "cosine, karras": {"beta_schedule": "squaredcos_cap_v2", "use_karras_sigmas": True, "clip_sample": False},
    "defaults": {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear"}
    | {"set_alpha_to_one": True, "clip_sample": False},
    "predicts the sample": STABLE_DIFFUSION | {"prediction_type": "sample"},
    "ends at sigma_min": STABLE_DIFFUSION | {"final_sigmas_type": "sigma_min"},
    "trained betas": {"trained_betas": [0.01 + 0.002 * step for step in range(50)], "num_train_timesteps": 50}
    | {"set_alpha_to_one": True, "clip_sample": False},
}
# Runs by the config's name; the others take 7 steps. DPM-Solver changes at 15.
STEPS = {"spacing by sampler": (20, 6), "trailing": (1, 2, 16), "cosine": (20,)}
# What a class must know of a config that has it switched on: a class that does not would make another run of it.
DECISIVE = (
    "timestep_spacing", "rescale_betas_zero_snr", "use_karras_sigmas", "use_exponential_sigmas", "final_sigmas_type",
)  # fmt: skip
# One of their steps goes down from sigma 20,000 where the betas follow the cosine: f32 has no digits left for them.
NOT_FROM_COSINE = ("euler_a", "heun", "dpm2", "dpm2_a", "dpmpp_sde", *K_DIFFUSION)
EPSILON_OR_VELOCITY = ("euler", "euler_a", "dpm2", "dpm2_a", "dpmpp_sde", "plms", *K_DIFFUSION)


def write(path: Path) -> None:
    cases = []
    for name, config in CONFIGS.items():
        for sampler in SAMPLERS:
            if fits(sampler, config):
                for steps in STEPS.get(name, (7,)):
                    if (sampler, steps) == ("dpmpp_3m_sde", 1):
                        continue  # k-diffusion's own fails on a variable that was never set.
                    cases.append({"name": name, "config": config, "sampler": sampler} | run(sampler, config, steps))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
    print(f"{path}: {len(cases)} cases, {path.stat().st_size >> 10} KB")


def known(sampler: str) -> dict:
    return SAMPLERS[sampler][0].__init__.__wrapped__.__annotations__


def fits(sampler: str, config: dict) -> bool:
    if config.get("prediction_type") == "sample" and sampler in EPSILON_OR_VELOCITY:
        return False
    if config.get("beta_schedule") == "squaredcos_cap_v2" and not config.get("use_karras_sigmas"):
        if sampler in NOT_FROM_COSINE:
            return False
    if sampler in K_DIFFUSION and config.get("final_sigmas_type"):
        return False
    return all(key in known(sampler) for key in DECISIVE if config.get(key) not in (None, False))


class Run:
    """A made-up network, noise that is none, and what was asked of them."""

    def __init__(self) -> None:
        self.calls, self.draws = 0, 0
        self.inputs, self.timesteps = [], []

    def predict(self, latents: Tensor, timestep: float) -> Tensor:
        self.inputs.append(latents.flatten().tolist())
        self.timesteps.append(float(timestep))
        # As far from a real network as from zero: it depends on call and element only, so steps stay independent.
        self.calls += 1
        return torch.cos(torch.arange(4, dtype=torch.float64) + self.calls - 1).reshape(latents.shape)

    def noise(self, shape=(1, 4, 1, 1), **_) -> Tensor:
        self.draws += 1
        return torch.sin(1.7 * torch.arange(4, dtype=torch.float64) + 3 * self.draws).reshape(shape) * 1.4


def run(sampler: str, config: dict, steps: int) -> dict:
    kind, extra = SAMPLERS[sampler]
    scheduler = kind(**{key: value for key, value in config.items() if key in known(sampler)}, **extra)
    scheduler.set_timesteps(steps)
    start = torch.tensor([0.3, -1.2, 0.7, 2.0], dtype=torch.float64).reshape(1, 4, 1, 1)
    latents = start * scheduler.init_noise_sigma
    run = Run()
    states = (k_diffusion_states if sampler in K_DIFFUSION else diffusers_states)(sampler, scheduler, latents, run)
    return {
        "steps": steps,
        "alphas_cumprod": scheduler.alphas_cumprod[:: len(scheduler.alphas_cumprod) // 10].tolist(),
        "timesteps": rounded([run.timesteps])[0],
        "initial_noise_scale": float(scheduler.init_noise_sigma),
        "start": start.flatten().tolist(),
        "inputs": rounded(run.inputs),
        "latents": rounded(states),
    }


def diffusers_states(sampler: str, scheduler, latents: Tensor, run: Run) -> list[list[float]]:
    """The latents after each call of the network; in the middle of a step, what the network sees next."""
    if hasattr(scheduler, "set_begin_index"):
        # Without it, DPM-Solver skips a step when rounding makes the first two timesteps of Karras' equal.
        scheduler.set_begin_index(0)
    sys.modules[type(scheduler).__module__].randn_tensor = run.noise
    if sampler == "dpmpp_sde":
        scheduler.noise_sampler = brownian(run)
    states = []
    for timestep in scheduler.timesteps:
        prediction = run.predict(scheduler.scale_model_input(latents, timestep), timestep)
        latents = scheduler.step(prediction, timestep, latents).prev_sample.double()
        states.append(latents.flatten().tolist())
    return states


def brownian(run: Run):
    """The noise of a step's first half, then that of the whole step along the same Brownian path."""
    first = None

    def noise(sigma, to) -> Tensor:
        nonlocal first
        if first is None:
            first = (float(to), run.noise())
            return first[1]
        middle, half = first
        first = None
        share = (float(sigma) - middle) / (float(sigma) - float(to))
        return math.sqrt(share) * half + math.sqrt(1 - share) * run.noise()

    return noise


def k_diffusion_states(sampler: str, scheduler, latents: Tensor, run: Run) -> list[list[float] | None]:
    """The latents after each step, at the place of its last call; null in the middle of a step."""
    log_sigmas = (((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5).log().double().numpy()

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        alpha = 1 / (sigma**2 + 1) ** 0.5
        if sampler == "dpmpp_2s_a" and run.calls % 2 == 1:
            time = scheduler._sigma_to_t(sigma.numpy(), log_sigmas)[0]
        else:
            time = scheduler.timesteps[(scheduler.sigmas == sigma).nonzero()[0]]
        prediction = run.predict(x * alpha, time)
        if scheduler.config.prediction_type == "epsilon":
            return x - sigma * prediction
        return alpha**2 * x - sigma * alpha * prediction

    states = []

    def record(state: dict) -> None:
        # Called in the middle of each step, with the latents before it.
        if state["i"] > 0:
            states.extend([None] * (run.calls - 2 - len(states)) + [state["x"].flatten().tolist()])

    sample = getattr(k_diffusion_sampling(), K_DIFFUSION[sampler])
    # In f64: what k-diffusion does with a scheduler's f32 sigmas.
    latents = sample(
        denoise, latents, scheduler.sigmas.double(), callback=record, disable=True,
        noise_sampler=lambda *_: run.noise(),
    )  # fmt: skip
    return states + [None] * (run.calls - 1 - len(states)) + [latents.flatten().tolist()]


def k_diffusion_sampling() -> types.ModuleType:
    """The module `k_diffusion.sampling` without the package's training half, which wants many other packages."""
    if "k_diffusion.sampling" not in sys.modules:
        package = types.ModuleType("k_diffusion")
        package.__path__ = importlib.util.find_spec("k_diffusion").submodule_search_locations
        utils = types.ModuleType("k_diffusion.utils")
        utils.append_dims = lambda x, dims: x[(...,) + (None,) * (dims - x.ndim)]
        package.utils = utils
        sys.modules |= {"k_diffusion": package, "k_diffusion.utils": utils}
    return importlib.import_module("k_diffusion.sampling")


def rounded(rows: list) -> list:
    """Seven digits: the tests compare four or five."""
    return [row and [float(f"{value:.7g}") for value in row] for row in rows]


def write_torch_noise(path: Path) -> None:
    """Draws of PyTorch's CPU generator: few values, blocks of sixteen, and a rest."""
    cases = []
    for seed in (0, 1, 42, 2**32 + 42, 2**63 + 12345):
        generator = torch.Generator().manual_seed(seed if seed < 2**63 else seed - 2**64)
        draws = [torch.randn(count, generator=generator).tolist() for count in (16, 64, 5, 19, 2, 700, 37)]
        cases.append({"seed": seed, "draws": [[float(f"{value:.9g}") for value in draw] for draw in draws]})
    path.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
    print(f"{path}: {len(cases)} seeds, {path.stat().st_size >> 10} KB")
