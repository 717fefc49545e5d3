"""OpenAI's own library, unchanged, over the daemon's Unix socket."""

import base64
import io
import os

import httpx2
import openai
from PIL import Image


def main() -> None:
    transport = httpx2.HTTPTransport(uds=os.environ["SOCKET"])
    client = openai.OpenAI(
        base_url="http://localhost/v1", api_key="any", http_client=httpx2.Client(transport=transport), max_retries=0)
    assert [model.id for model in client.models.list()] == ["fast"]
    assert client.models.retrieve("fast").owned_by == "inversion"
    check_generations(client)
    check_edits(client)
    check_errors(client)
    print("openai: done")


def picture(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data)))


def check_generations(client: openai.OpenAI) -> None:
    reply = client.images.generate(model="fast", prompt="a <my-cat>", n=2, size="64x48")
    assert [picture(item.b64_json).size for item in reply.data] == [(64, 48)] * 2 and reply.created > 0
    ours = {"negative_prompt": "blurry", "seed": 7, "steps": 3, "guidance_scale": 4, "sampler": "euler"}
    first, second = (client.images.generate(prompt="x", extra_body=ours) for _ in range(2))
    assert first.data[0].b64_json == second.data[0].b64_json and first.model_extra["seed"] == 7
    webp = client.images.generate(
        model="gpt-image-1", prompt="x", output_format="webp", output_compression=80, size="auto", quality="low")
    assert picture(webp.data[0].b64_json).format == "WEBP" and webp.output_format == "webp"
    url = client.images.generate(model="dall-e-3", prompt="x", response_format="url").data[0].url
    assert url.startswith("data:image/png;base64,")
    events = list(client.images.generate(prompt="x", stream=True, partial_images=1))
    assert [event.type for event in events] == ["image_generation.completed"] and picture(events[0].b64_json)


def check_edits(client: openai.OpenAI) -> None:
    start, mask = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 60)).save(start, "PNG")
    hole = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    hole.paste((0, 0, 0, 0), (16, 16, 48, 48))
    hole.save(mask, "PNG")
    same = dict(prompt="x", extra_body={"seed": "3", "steps": "2"})
    plain = client.images.edit(image=("start.png", start.getvalue()), size="64x64", **same)
    masked = client.images.edit(
        image=[("start.png", start.getvalue())], mask=("mask.png", mask.getvalue()), size="64x64", **same)
    assert picture(plain.data[0].b64_json).size == (64, 64)
    assert plain.data[0].b64_json != masked.data[0].b64_json


def check_errors(client: openai.OpenAI) -> None:
    for change, kind, message in (
        ({"model": "nobody"}, openai.NotFoundError, "does not exist"),
        ({"n": 11}, openai.BadRequestError, "'n'"),
        ({"size": "large"}, openai.BadRequestError, "'size'"),
        ({"extra_body": {"strict": True}, "prompt": "a <nobody>"}, openai.UnprocessableEntityError, "<nobody>"),
    ):
        try:
            client.images.generate(**{"prompt": "x"} | change)
            raise AssertionError(f"{change} was accepted")
        except kind as error:
            assert message in error.body["message"], error.body


if __name__ == "__main__":
    main()
