"""Makes OpenVINO's models from a diffusers folder and keeps them: the U-Net with weights and activations in int8 by
NNCF, text encoder and VAE decoder as they are. Quantising SD 1.5 needs about 11 GB of memory, once.

    openvino_models.py MODEL FOLDER
"""

import pathlib
import sys

import nncf
import numpy
import openvino
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

# Calibration sees a small picture, because what it finds out does not change the time.
CALIBRATION_SIDE = 32
CALIBRATION_SAMPLES = 2
TOKENS = 77


class Denoise(torch.nn.Module):
    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        self.unet = unet

    def forward(self, latents: torch.Tensor, timestep: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        return self.unet(latents, timestep, states, return_dict=False)[0]


class Decode(torch.nn.Module):
    def __init__(self, vae: AutoencoderKL):
        super().__init__()
        self.vae = vae

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.vae.decode(latents, return_dict=False)[0]


class Encode(torch.nn.Module):
    def __init__(self, text_encoder: CLIPTextModel):
        super().__init__()
        self.text_encoder = text_encoder

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.text_encoder(ids).last_hidden_state


def sample(width: int) -> tuple:
    latents = torch.randn(2, 4, CALIBRATION_SIDE, CALIBRATION_SIDE)
    return latents, torch.tensor(500), torch.randn(2, TOKENS, width)


def unet(folder: pathlib.Path) -> openvino.Model:
    network = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval()
    width = network.config.cross_attention_dim
    example = sample(width)
    converted = openvino.convert_model(
        Denoise(network), example_input=example, input=[[2, 4, -1, -1], [], [2, TOKENS, width]])
    del network
    names = [place.any_name for place in converted.inputs]
    samples = [dict(zip(names, (numpy.asarray(value) for value in sample(width)))) for _ in range(CALIBRATION_SAMPLES)]
    return nncf.quantize(
        converted, nncf.Dataset(samples), subset_size=CALIBRATION_SAMPLES,
        model_type=nncf.ModelType.TRANSFORMER, preset=nncf.QuantizationPreset.MIXED)


def decoder(folder: pathlib.Path) -> openvino.Model:
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
    return openvino.convert_model(Decode(vae), example_input=torch.randn(1, 4, 16, 16), input=[[1, 4, -1, -1]])


def text_encoder(folder: pathlib.Path) -> openvino.Model:
    network = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).eval()
    ids = torch.randint(0, network.config.vocab_size, (2, TOKENS))
    return openvino.convert_model(Encode(network), example_input=ids, input=[[2, TOKENS]])


PARTS = {"text_encoder": text_encoder, "vae_decoder": decoder, "unet_int8": unet}


def main() -> None:
    folder, output = map(pathlib.Path, sys.argv[1:])
    output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for name, make in PARTS.items():
        if (output / f"{name}.xml").exists():
            continue
        with torch.inference_mode():
            model = make(folder)
        # The .xml comes last, so that a run which broke off is seen.
        openvino.save_model(model, output / f"{name}.new.xml", compress_to_fp16=True)
        (output / f"{name}.new.bin").rename(output / f"{name}.bin")
        (output / f"{name}.new.xml").rename(output / f"{name}.xml")


if __name__ == "__main__":
    main()
