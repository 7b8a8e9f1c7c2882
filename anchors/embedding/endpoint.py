"""Vectors from a server that speaks OpenAI's ``/v1/embeddings``: OpenAI, vLLM, Ollama, TEI."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import numpy as np
import orjson

from anchors.embedding.base import Rows, unit_rows
from anchors.embedding.errors import EmbedderError, EmbedderUnavailable

KEY = "FOREST_EMBEDDER_KEY"
BATCH = 64
TRIES = 3
_NO_NUMBER = re.compile(rb"[\[,:]\s*-?(?:NaN|Infinity)\b")
_BUSY = (408, 429, 500, 502, 503, 504)


class EndpointEmbedder:
    """An OpenAI-compatible endpoint.

    :param url: up to and with ``/v1``.
    :param model: the name that the server knows it by.
    :param wait: seconds before the second try where the server is busy; then twice as long.

    The key comes from the environment variable FOREST_EMBEDDER_KEY, for api.openai.com also from
    OPENAI_API_KEY; it goes to this server only, never along with a redirect.
    """

    def __init__(self, url: str, model: str, *, wait: float = 1.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise EmbedderError(
                "the address of an embedder is http(s)://HOST/v1, without a password in it"
            )
        self._url, self._model, self._wait = url.rstrip("/"), model, wait
        self._openai = parts.hostname == "api.openai.com"
        self._opener = build_opener(_NoRedirect)

    @property
    def fingerprint(self) -> str:
        """The address and the model."""
        return f"{self._url}#{self._model}"

    def embed(self, texts: Sequence[str]) -> Rows:
        """One row for each text; see `Embedder.embed`. Raises EmbedderError."""
        parts = [self._batch(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)

    def _batch(self, texts: Sequence[str]) -> Rows:
        answer = self._ask(orjson.dumps({"model": self._model, "input": list(texts)}))
        try:
            data = sorted(orjson.loads(answer)["data"], key=lambda one: one["index"])
            vectors = [one["embedding"] for one in data]
            if [one["index"] for one in data] != list(range(len(data))):
                raise ValueError("the vectors are not numbered as the texts")
        except (KeyError, TypeError, ValueError):
            if _NO_NUMBER.search(answer):
                raise EmbedderError(
                    f"{self.fingerprint}: the answer holds NaN or Infinity, which are no numbers",
                    hint="Does the model work there? A smaller type of numbers may overflow.",
                ) from None
            raise EmbedderError(
                f"{self.fingerprint}: the answer is not that of an embedding endpoint",
                hint="Is the address the one that ends in /v1?",
            ) from None
        rows = unit_rows(vectors, len(texts), self.fingerprint)
        if any(text.strip() and not row.any() for text, row in zip(texts, rows, strict=True)):
            raise EmbedderError(
                f"{self.fingerprint}: a vector is all zero, which says nothing of its text",
                hint="Is the model one of embeddings, and loaded?",
            )
        return rows

    def _ask(self, body: bytes) -> bytes:
        """The answer of the server; where it is busy it is asked again."""
        for wait in [self._wait * 2**n for n in range(TRIES - 1)]:
            try:
                return self._post(body)
            except EmbedderUnavailable:
                time.sleep(wait)
        return self._post(body)

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        key = os.environ.get(KEY) or (self._openai and os.environ.get("OPENAI_API_KEY"))
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = Request(f"{self._url}/embeddings", body, headers)
        try:
            response: HTTPResponse
            with self._opener.open(request, timeout=120) as response:
                return response.read()
        except HTTPError as error:
            with error:
                said = error.read(300).decode(errors="replace").strip()
            kind = EmbedderUnavailable if error.code in _BUSY else EmbedderError
            raise kind(
                f"{self.fingerprint}: the server answered {error.code}: {said}",
                hint=f"Is the key in {KEY} right?" if error.code in (401, 403) else None,
            ) from None
        except (URLError, HTTPException, OSError) as error:
            raise EmbedderUnavailable(
                f"{self.fingerprint}: no answer: {getattr(error, 'reason', error)}",
                hint="Does the server run at this address?",
            ) from error


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an error: it would carry the key to another server."""

    def redirect_request(self, *_: Any) -> None:
        return None
