"""webuiapi 0.9, unchanged, over the daemon's Unix socket: every call of it that the daemon has a route for."""

import io
import os
import re
from urllib.parse import quote

import piexif
import piexif.helper
import webuiapi
from PIL import Image, ImageDraw
from requests_unixsocket.adapters import UnixAdapter

# AUTOMATIC1111's own, from modules/infotext_utils.py.
RE_PARAM = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def main() -> None:
    api = webuiapi.WebUIApi(baseurl=f"http+unix://{quote(os.environ['SOCKET'], safe='')}/sdapi/v1", sampler="Euler")
    api.session.mount("http+unix://", UnixAdapter())
    check_lists(api)
    check_pictures(api)
    check_starting_pictures(api)
    check_errors(api)
    print("webuiapi: done")


def check_lists(api: webuiapi.WebUIApi) -> None:
    assert {"Euler", "DDIM", "DPM++ 2M"} <= {sampler["name"] for sampler in api.get_samplers()}
    assert [model["title"] for model in api.get_sd_models()] == ["fast"]
    assert api.util_get_model_names() == ["fast"] and api.util_get_current_model() == "fast"
    api.refresh_checkpoints()
    assert api.get_embeddings()["loaded"]["<my-cat>"] == {
        "step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": 4, "vectors": 1}
    assert api.get_progress()["state"]["sampling_steps"] == 0
    assert api.get_memory()["ram"]["used"] > 0
    assert api.get_cmd_flags() == {} and api.get_hypernetworks() == [] and api.get_face_restorers() == []
    assert api.get_scripts() == {"txt2img": [], "img2img": []} and api.get_loras() == []
    assert [upscaler["name"] for upscaler in api.get_upscalers()] == ["None"]
    api.set_options({"CLIP_stop_at_last_layers": 2, "unknown_setting": 7})
    assert api.get_options()["CLIP_stop_at_last_layers"] == 2
    api.set_options({"CLIP_stop_at_last_layers": 1})
    api.util_set_model("fast")
    api.interrupt()
    api.skip()


def check_pictures(api: webuiapi.WebUIApi) -> None:
    asked = dict(prompt="a <my-cat>", negative_prompt="blurry", seed=41, steps=3, width=64, height=48, cfg_scale=6)
    result = api.txt2img(**asked, batch_size=2, n_iter=2)
    assert [image.size for image in result.images] == [(64, 48)] * 4
    assert len({image.tobytes() for image in result.images}) == 4
    info = result.info
    assert info["all_seeds"] == [41, 42, 43, 44] and info["seed"] == 41 and info["sampler_name"] == "Euler"
    assert info["sd_model_name"] == "fast" and info["steps"] == 3 and info["cfg_scale"] == 6
    assert result.parameters["prompt"] == "a <my-cat>" and result.parameters["hr_scale"] == 2
    again = api.txt2img(**asked)
    assert again.image.tobytes() == result.images[0].tobytes()
    assert api.txt2img(**asked | {"seed": -1}).info["seed"] >= 0
    # A1111's reader finds the parameters in the file.
    text = result.images[1].info["parameters"]
    assert text == info["infotexts"][1] and text.splitlines()[0] == "a <my-cat>"
    pairs = dict(RE_PARAM.findall(text.splitlines()[-1]))
    assert pairs["Seed"] == "42" and pairs["Size"] == "64x48" and pairs["Sampler"] == "Euler", pairs
    assert pairs["TI hashes"].startswith('"<my-cat>: '), pairs
    read = api.png_info(result.images[1])
    assert read.info == text
    webp = io.BytesIO(bytes_of(api, "webp"))
    comment = piexif.load(Image.open(webp).info["exif"])["Exif"][piexif.ExifIFD.UserComment]
    assert RE_PARAM.search(piexif.helper.UserComment.load(comment).splitlines()[-1])


def bytes_of(api: webuiapi.WebUIApi, kind: str) -> bytes:
    """A picture of the native route, which alone gives other files than PNG."""
    import base64

    url = api.baseurl.removesuffix("/sdapi/v1") + "/v1/generate"
    reply = api.session.post(url, json={"prompt": "x", "steps": 1, "format": kind}).json()
    return base64.b64decode(reply["pictures"][0]["data"])


def check_starting_pictures(api: webuiapi.WebUIApi) -> None:
    start = Image.new("RGB", (64, 48), (200, 30, 60))
    asked = dict(images=[start], prompt="x", seed=1, steps=4, width=64, height=48)
    plain = api.img2img(**asked, denoising_strength=0.5)
    assert plain.image.size == (64, 48) and plain.info["denoising_strength"] == 0.5
    assert plain.parameters["init_images"] is None
    other = api.img2img(**asked, denoising_strength=0.6)
    assert other.image.tobytes() != plain.image.tobytes()
    mask = Image.new("L", (64, 48), 0)
    ImageDraw.Draw(mask).rectangle((16, 16, 40, 40), fill=255)
    masked = api.img2img(**asked, denoising_strength=0.5, mask_image=mask, mask_blur=0)
    assert masked.image.tobytes() != plain.image.tobytes()
    inverted = api.img2img(**asked, denoising_strength=0.5, mask_image=mask, mask_blur=0, inpainting_mask_invert=1)
    assert inverted.image.tobytes() != masked.image.tobytes()


def check_errors(api: webuiapi.WebUIApi) -> None:
    for change, status, detail in (
        ({"sampler_name": "Nobody's"}, 404, "Sampler not found"),
        ({"script_name": "mine"}, 422, "Script 'mine' not found"),
        ({"enable_hr": True}, 422, "'enable_hr' is not available here"),
        ({"steps": "many"}, 422, "value is not a valid integer"),
        ({"width": 13}, 422, "'width'"),
    ):
        try:
            api.txt2img(prompt="x", **change)
            raise AssertionError(f"{change} was accepted")
        except RuntimeError as error:
            assert error.args[0] == status and detail in error.args[1], error


if __name__ == "__main__":
    main()
