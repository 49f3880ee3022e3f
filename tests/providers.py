"""Stand-ins for the image providers, on loopback: they speak the wire format of the Gemini API and of OpenAI's."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from tests.webhooks import Receiver, Reply, Sent, receiver

KEYS = {"GEMINI_API_KEY": "gemini-secret-key", "OPENAI_API_KEY": "openai-secret-key"}


def env(provider: Receiver) -> dict[str, str]:
    """Return the environment, and the settings, with which a gateway takes `provider` for all of them."""
    root = provider.url.removesuffix("/hooks")
    return {**KEYS, "GEMINI_BASE_URL": root, "OPENAI_BASE_URL": f"{root}/v1"}


@contextmanager
def provider() -> Iterator[Receiver]:
    """A server that makes the image that is asked for, until `answer` is changed."""
    with receiver(made) as server:
        yield server


def made(sent: Sent) -> Reply:
    """Answer as a provider that does what it is asked."""
    asked = json.loads(sent.body)
    if sent.path == "/v1/images/generations":
        width, height = map(int, asked["size"].split("x"))
        return openai_answer(picture(width, height))
    config = asked["generationConfig"]
    if "imageConfig" not in config:
        return gemini_text(json.dumps([masked([100, 200, 600, 700])]))
    return gemini_image(picture(*gemini_sides(**config["imageConfig"])))


def gemini_sides(*, aspectRatio: str, imageSize: str) -> tuple[int, int]:
    """Return the sides of some sizes that the Gemini API documents."""
    sides = {"1:1": (1024, 1024), "16:9": (1376, 768), "3:4": (896, 1200), "21:9": (1584, 672), "8:1": (2880, 360)}
    times = int(imageSize[0])
    return sides[aspectRatio][0] * times, sides[aspectRatio][1] * times


def picture(width: int, height: int, *, format: str = "PNG") -> bytes:
    """Return an image file, red on the left and blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = pixels[:, width // 2 :, 2] = 200
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def bomb() -> bytes:
    """Return a PNG of a few bytes whose header says 50,000 × 50,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def reply(body: Any, *, status: int = 200) -> Reply:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


# Gemini: generateContent


def gemini(candidate: dict[str, Any] | None = None, **more: Any) -> Reply:
    body = {"usageMetadata": {"promptTokenCount": 300, "totalTokenCount": 300}, "modelVersion": "made-up-001", **more}
    return reply({**body, **({"candidates": [{"index": 0, **candidate}]} if candidate else {})})


def gemini_image(data: bytes, *, mime_type: str = "image/png") -> Reply:
    inline = {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}
    return gemini({"content": {"role": "model", "parts": [inline]}, "finishReason": "STOP"})


def gemini_text(text: str) -> Reply:
    return gemini({"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"})


def gemini_error(status: int, name: str, message: str, **details: Any) -> Reply:
    error = {"code": status, "message": message, "status": name, **({"details": [details]} if details else {})}
    return reply({"error": error}, status=status)


def masked(box: list[Any], *, mask: bytes | None = None, label: str = "red shirt") -> dict[str, Any]:
    """Return an entry of a segmentation: an ellipse that touches its box, unless `mask` is another PNG."""
    if mask is None:
        down, across = np.mgrid[-1:1:256j, -1:1:256j]
        values = np.clip((1 - np.hypot(down, across)) * 600 + 127, 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(values).save(file, "PNG")
        mask = file.getvalue()
    return {"box_2d": box, "mask": f"data:image/png;base64,{base64.b64encode(mask).decode()}", "label": label}


# OpenAI: images/generations


def openai_answer(data: bytes) -> Reply:
    images = [{"b64_json": base64.b64encode(data).decode()}]
    return reply({"created": 1_790_000_000, "data": images, "quality": "medium", "output_format": "png"})


def openai_error(status: int, *, code: str | None, message: str, type: str, **more: Any) -> Reply:
    return reply({"error": {"message": message, "type": type, "param": None, "code": code, **more}}, status=status)
