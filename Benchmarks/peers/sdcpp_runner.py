"""Times stable-diffusion.cpp through its Python binding: one picture from a single-file checkpoint, quantised to q8_0
as it is read. A guided step is two calls of its U-Net."""

import pathlib
import re
import time

import stable_diffusion_cpp
from stable_diffusion_cpp import StableDiffusion

import measure

PROMPT, NEGATIVE = "a photo of a cat in the snow", "blurry"
STAGES = {"text_s": "get_learned_condition completed", "vae_s": "decode_first_stage completed"}


class Log:
    """Collects the lines that the library logs, because it tells the times of its stages nowhere else."""

    def __init__(self):
        self.text = ""
        self._callback = stable_diffusion_cpp.sd_log_callback(self._append)  # kept alive as long as it is called
        stable_diffusion_cpp.sd_set_log_callback(self._callback, None)

    def _append(self, _level: int, line: bytes, _data) -> None:
        self.text += line.decode("utf-8", errors="replace")

    def seconds(self, stage: str) -> float:
        found = re.search(rf"{stage}, taking ([\d.]+)\s*(m?s)", self.text)
        if found is None:
            raise SystemExit(f"stable-diffusion.cpp did not tell the time of '{stage}'; it said:\n{self.text}")
        return float(found[1]) / (1000 if found[2] == "ms" else 1)


def main() -> None:
    flags = measure.arguments(
        __doc__, ("--single-file", {"type": pathlib.Path, "required": True}), ("--flash", {"action": "store_true"}),
        ("--type", {"default": "q8_0"}))
    log = Log()
    model = StableDiffusion(
        model_path=str(flags.single_file), wtype=flags.type, n_threads=flags.threads, diffusion_flash_attn=flags.flash,
        vae_decode_only=True, verbose=False)
    steps, moments = flags.runs + 1, []

    def progress(step: int, total: int, _average: float) -> None:
        if total == steps:
            moments.append(time.perf_counter())

    with measure.Memory() as memory:
        model.generate_image(
            prompt=PROMPT, negative_prompt=NEGATIVE, width=flags.size, height=flags.size, cfg_scale=7.0,
            sample_method="euler", sample_steps=steps, seed=1, progress_callback=progress)
    times = [round(later - earlier, 4) for earlier, later in zip(moments, moments[1:])]
    row = {"version": stable_diffusion_cpp.__version__, "step_s": times[1:]}  # the first step warms up
    row |= {name: [log.seconds(stage)] for name, stage in STAGES.items()}
    measure.report(row | memory.row())


if __name__ == "__main__":
    main()
