"""The dashboard's files: three of them, served as they are."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from server_stub.messages import Response

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/dashboard.css": ("dashboard.css", "text/css; charset=utf-8"),
    "/dashboard.js": ("dashboard.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    # Nothing from elsewhere, and nobody else's page around this one.
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def load_pages() -> Mapping[str, Response]:
    """Return path to file, read from the package."""
    folder = resources.files("server_stub") / "dashboard"
    return {
        path: Response(
            status=200,
            body=(folder / name).read_bytes(),
            content_type=content_type,
            headers=_HEADERS,
        )
        for path, (name, content_type) in _FILES.items()
    }
