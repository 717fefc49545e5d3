"""Times the models that openvino_models.py made: the U-Net in int8, all else in bf16 or f32."""

import json
import pathlib

import numpy
import openvino

import measure

TOKENS = 77


def compiled(core: openvino.Core, path: pathlib.Path, shapes: list[list[int]], flags) -> openvino.InferRequest:
    model = core.read_model(path)
    model.reshape({place: shape for place, shape in zip(model.inputs, shapes)})
    settings = {
        "INFERENCE_NUM_THREADS": flags.threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": flags.dtype}
    return core.compile_model(model, "CPU", settings).create_infer_request()


def vocabulary(model: pathlib.Path) -> int:
    config = (model / "text_encoder" / "config.json").read_text(encoding="utf-8")
    return json.loads(config)["vocab_size"]


def main() -> None:
    flags = measure.arguments(
        __doc__, ("--converted", {"type": pathlib.Path, "required": True}),
        ("--dtype", {"choices": ["bf16", "f32"], "required": True}))
    core = openvino.Core()
    random = numpy.random.default_rng(0)
    side = flags.size // measure.DOWNSAMPLING

    def normal(*shape: int) -> numpy.ndarray:
        return random.standard_normal(shape, dtype=numpy.float32)

    ids = random.integers(0, vocabulary(flags.model), (measure.GUIDED, TOKENS))
    text = compiled(core, flags.converted / "text_encoder.xml", [list(ids.shape)], flags)
    states = text.infer([ids])[0]
    unet = compiled(
        core, flags.converted / "unet_int8.xml",
        [[measure.GUIDED, 4, side, side], [], list(states.shape)], flags)
    decoder = compiled(core, flags.converted / "vae_decoder.xml", [[1, 4, side, side]], flags)
    inputs = [normal(measure.GUIDED, 4, side, side), numpy.array(500), states]
    latents = [normal(1, 4, side, side)]
    row = {"version": openvino.__version__}
    with measure.Memory() as memory:
        row["text_s"] = measure.seconds(lambda: text.infer([ids]), flags.runs)
        row["step_s"] = measure.seconds(lambda: unet.infer(inputs), flags.runs)
        row["vae_s"] = measure.seconds(lambda: decoder.infer(latents), max(1, flags.runs // 2))
    measure.report(row | memory.row())


if __name__ == "__main__":
    main()
