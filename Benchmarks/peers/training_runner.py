"""Times a step of diffusers' textual_inversion example at batch 1, without checkpointing: what its loop does, in its
order, with and without the VAE encoder that it runs again for every step."""

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch.nn import functional
from transformers import CLIPTextModel

import measure

DTYPES = {"bf16": torch.bfloat16, "f32": torch.float32}
LEARNING_RATE = 5e-4


class Loop:
    """The networks and the optimizer of the example, with one placeholder token."""

    def __init__(self, folder, dtype: torch.dtype, size: int, checkpointing: bool):
        self.dtype = dtype
        self.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        self.placeholder = self.text_encoder.config.vocab_size
        self.text_encoder.resize_token_embeddings(self.placeholder + 1, mean_resizing=False)
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=dtype).requires_grad_(False)
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=dtype).requires_grad_(False)
        for network in (self.unet, self.vae):
            network.to(memory_format=torch.channels_last)
        self.text_encoder.requires_grad_(False)
        self.table = self.text_encoder.get_input_embeddings().weight.requires_grad_(True)
        self.text_encoder.train()
        if checkpointing:
            self.text_encoder.gradient_checkpointing_enable()
            self.unet.train()
            self.unet.enable_gradient_checkpointing()
        self.before = self.table.detach().clone()
        self.optimizer = torch.optim.AdamW([self.table], lr=LEARNING_RATE, weight_decay=1e-2)
        self.scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
        self.pixels = torch.rand(1, 3, size, size).mul(2).sub(1).to(dtype)
        self.ids = torch.randint(0, self.placeholder, (1, self.text_encoder.config.max_position_embeddings))
        self.ids[0, 5] = self.placeholder
        self.encode()

    def encode(self) -> None:
        with torch.no_grad():
            self.latents = self.vae.encode(self.pixels).latent_dist.sample() * self.vae.config.scaling_factor

    def step(self) -> None:
        noise = torch.randn_like(self.latents)
        timesteps = torch.randint(0, self.scheduler.config.num_train_timesteps, (1,))
        noisy = self.scheduler.add_noise(self.latents, noise, timesteps)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            states = self.text_encoder(self.ids)[0].to(self.dtype)
        predicted = self.unet(noisy, timesteps, states).sample
        functional.mse_loss(predicted.float(), noise.float()).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        with torch.no_grad():  # the optimizer moved the whole table
            self.table[: self.placeholder] = self.before[: self.placeholder]

    def step_with_encoder(self) -> None:
        self.encode()
        self.step()


def main() -> None:
    flags = measure.arguments(
        __doc__, ("--dtype", {"choices": list(DTYPES), "default": "bf16"}),
        ("--checkpointing", {"action": "store_true"}))
    torch.set_num_threads(flags.threads)
    torch.manual_seed(0)
    loop = Loop(flags.model, DTYPES[flags.dtype], flags.size, flags.checkpointing)
    with measure.Memory() as memory:
        row = {
            "version": torch.__version__,
            "step_s": measure.seconds(loop.step, flags.runs),
            "step_with_vae_s": measure.seconds(loop.step_with_encoder, flags.runs),
        }
    measure.report(row | memory.row())


if __name__ == "__main__":
    main()
