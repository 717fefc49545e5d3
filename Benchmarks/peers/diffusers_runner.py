"""Times diffusers on the CPU, channels last, in bf16 or f32."""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

import measure

DTYPES = {"bf16": torch.bfloat16, "f32": torch.float32}


def main() -> None:
    flags = measure.arguments(__doc__, ("--dtype", {"choices": list(DTYPES), "default": "bf16"}))
    dtype = DTYPES[flags.dtype]
    torch.set_num_threads(flags.threads)
    torch.manual_seed(0)
    text_encoder = CLIPTextModel.from_pretrained(flags.model / "text_encoder", dtype=dtype).eval()
    unet = UNet2DConditionModel.from_pretrained(flags.model / "unet", torch_dtype=dtype).eval()
    vae = AutoencoderKL.from_pretrained(flags.model / "vae", torch_dtype=dtype).eval()
    for network in (unet, vae):
        network.to(memory_format=torch.channels_last)
    side = flags.size // measure.DOWNSAMPLING
    tokens = text_encoder.config.max_position_embeddings
    ids = torch.randint(0, text_encoder.config.vocab_size, (measure.GUIDED, tokens))
    latents = torch.randn(measure.GUIDED, 4, side, side, dtype=dtype).to(memory_format=torch.channels_last)
    row = {"version": torch.__version__}
    with torch.inference_mode(), measure.Memory() as memory:
        states = text_encoder(ids).last_hidden_state
        row["text_s"] = measure.seconds(lambda: text_encoder(ids), flags.runs)
        row["step_s"] = measure.seconds(lambda: unet(latents, 500, states), flags.runs)
        row["vae_s"] = measure.seconds(lambda: vae.decode(latents[:1]), max(1, flags.runs // 2))
    measure.report(row | memory.row())


if __name__ == "__main__":
    main()
