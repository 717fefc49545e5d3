"""Timesteps, sigmas and steps of diffusers' schedulers, over a made-up network of four latents."""

import json
from pathlib import Path

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler

SAMPLERS = {"ddim": DDIMScheduler, "euler": EulerDiscreteScheduler, "dpmpp_2m": DPMSolverMultistepScheduler}
STABLE_DIFFUSION = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "clip_sample": False,
}
CONFIGS = {
    "spacing by sampler": STABLE_DIFFUSION,
    "leading": STABLE_DIFFUSION | {"timestep_spacing": "leading"},
    "linspace": STABLE_DIFFUSION | {"timestep_spacing": "linspace", "prediction_type": "v_prediction"},
    "trailing, zero terminal SNR": STABLE_DIFFUSION
    | {"timestep_spacing": "trailing", "prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
    "karras": STABLE_DIFFUSION | {"use_karras_sigmas": True},
    "karras, leading": STABLE_DIFFUSION | {"use_karras_sigmas": True, "timestep_spacing": "leading"},
    "cosine": {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction", "clip_sample": False},
    "cosine, karras": {"beta_schedule": "squaredcos_cap_v2", "use_karras_sigmas": True, "clip_sample": False},
    "defaults": {"clip_sample": False},
    "predicts the sample": STABLE_DIFFUSION | {"prediction_type": "sample"},
    "ends at sigma_min": STABLE_DIFFUSION | {"final_sigmas_type": "sigma_min"},
    "trained betas": {"trained_betas": [0.01 + 0.002 * step for step in range(50)], "num_train_timesteps": 50}
    | {"clip_sample": False},
}


def write(path: Path) -> None:
    cases = []
    for name, config in CONFIGS.items():
        for sampler in SAMPLERS:
            # EulerDiscreteScheduler cannot be told that the network predicts the sample.
            if sampler == "euler" and config.get("prediction_type") == "sample":
                continue
            for steps in (20, 6) if name == "spacing by sampler" else (20,):
                cases.append({"name": name, "config": config, "sampler": sampler} | run(sampler, config, steps))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(f"{path}: {len(cases)} cases, {path.stat().st_size >> 10} KB")


def run(sampler: str, config: dict, steps: int) -> dict:
    kind = SAMPLERS[sampler]
    known = kind.__init__.__wrapped__.__annotations__
    scheduler = kind(**{key: value for key, value in config.items() if key in known})
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        # Without it, DPM-Solver skips a step when rounding makes the first two timesteps of Karras' equal.
        scheduler.set_begin_index(0)
    start = torch.tensor([[0.3, -1.2, 0.7, 2.0]], dtype=torch.float64)
    latents = start * scheduler.init_noise_sigma
    inputs, states = [], []
    for step, timestep in enumerate(scheduler.timesteps):
        scaled = scheduler.scale_model_input(latents, timestep)
        inputs.append(scaled[0].tolist())
        # As far from a real network as from zero: it depends on step and element only, so steps stay independent.
        prediction = torch.cos(torch.arange(4, dtype=torch.float64) + step)[None]
        latents = scheduler.step(prediction, timestep, latents).prev_sample.double()
        states.append(latents[0].tolist())
    return {
        "steps": steps,
        "alphas_cumprod": scheduler.alphas_cumprod[:: len(scheduler.alphas_cumprod) // 10].tolist(),
        "timesteps": scheduler.timesteps.tolist(),
        "initial_noise_scale": float(scheduler.init_noise_sigma),
        "start": start[0].tolist(),
        "inputs": rounded(inputs),
        "latents": rounded(states),
    }


def rounded(rows: list[list[float]]) -> list[list[float]]:
    """Nine digits, which f32 does not have more of."""
    return [[float(f"{value:.9g}") for value in row] for row in rows]
