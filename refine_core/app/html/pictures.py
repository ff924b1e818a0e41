"""Pictures inside a page: data URIs, as small as they get without loss."""

import base64
import io
from pathlib import Path
from urllib.parse import quote

Picture = Path | bytes | str
"""A file, the content of a raster picture, or the text of an SVG."""
SMALL = 20_000
"""Bytes of a raster picture that are not worth the time to look for fewer."""
_SAFE = " !$'()*+,-./:;=?@_~"
"""Characters of an SVG that need no escape in an attribute; hashes would begin a fragment."""


def data_uri(picture: Picture, quality: int | None = None) -> str:
    """A picture as a URI that holds all of it.

    >>> data_uri('<svg fill="#fff"/>')
    'data:image/svg+xml,%3Csvg fill=%22%23fff%22/%3E'

    Args:
        picture: See `Picture`; of SVG files give the text.
        quality: That of WebP, 0 to 100, where a raster picture may lose details; by default it
            loses none.
    """
    if isinstance(picture, str):
        return "data:image/svg+xml," + quote(picture, safe=_SAFE)
    content = picture.read_bytes() if isinstance(picture, Path) else picture
    webp = content if len(content) < SMALL else _as_webp(content, quality)
    kind, least = ("webp", webp) if len(webp) < len(content) else (_kind(content), content)
    return f"data:image/{kind};base64,{base64.b64encode(least).decode()}"


def size(picture: Picture) -> tuple[int, int] | None:
    """Width and height in pixels; None of an SVG, which has any."""
    if isinstance(picture, str):
        return None
    from PIL import Image

    with Image.open(picture if isinstance(picture, Path) else io.BytesIO(picture)) as image:
        return image.size


def _kind(content: bytes) -> str:
    return "png" if content.startswith(b"\x89PNG") else "webp"


def _as_webp(content: bytes, quality: int | None) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        see_through = "A" in image.getbands() or "transparency" in image.info
        shown = image.convert("RGBA" if see_through else "RGB")
        shown.save(buffer, "WEBP", lossless=quality is None, quality=quality or 80, method=4)
    return buffer.getvalue()
