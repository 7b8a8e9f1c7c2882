"""Embedders: what every one of them promises, the cache, the endpoint, the errors."""

from __future__ import annotations

import json
import multiprocessing
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from anchors.embedding import (
    CachedEmbedder,
    EmbedderError,
    EmbedderUnavailable,
    HashedEmbedder,
    cached_embedder,
    open_embedder,
)
from anchors.embedding.endpoint import EndpointEmbedder
from forest.errors import MissingExtra

TEXTS = ["Вода ведёт к весне.", "Воды вели к вёснам", "Молчание есть ответ", "", "水 → 春"]


def keeps_the_promise(embedder) -> None:
    rows = embedder.embed(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape[0] == len(TEXTS)
    lengths = np.linalg.norm(rows, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))
    assert np.allclose(rows[2], embedder.embed([TEXTS[2]])[0], atol=1e-5)


def test_hashed_vectors_keep_the_promise():
    keeps_the_promise(open_embedder())


def test_inflected_and_misspelt_texts_are_close_and_others_are_not():
    rows = HashedEmbedder().embed([*TEXTS[:3], "Вода видёт к весне"])
    likeness = rows @ rows[0]
    assert likeness[1] > 0.7
    assert likeness[3] > 0.6
    assert likeness[2] < 0.3


def test_signs_say_something_and_punctuation_does_not():
    texts = ["🫁🜂⟁", "🌊🌸", "🌸 🌊!", "!!! → ➔ + ≤ ❤️", "❤", "весна", "весна → …"]
    rows = HashedEmbedder().embed(texts)
    assert rows.any(axis=1).all()
    assert rows[1] @ rows[2] == pytest.approx(1)
    assert [rows[3] @ rows[4], rows[5] @ rows[6]] == pytest.approx([1, 1])
    assert abs(rows[0] @ rows[1]) < 0.2
    assert not HashedEmbedder().embed(["!!! → ➔ + ≤"]).any()


def test_hashed_vectors_are_the_same_in_every_process():
    code = (
        "from anchors.embedding import HashedEmbedder as H; import hashlib;"
        f"print(hashlib.sha256(H().embed({TEXTS!r}).tobytes()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(said) == 1


class Counting(HashedEmbedder):
    """Remembers which texts it was given."""

    def __init__(self, dimensions: int = 64) -> None:
        super().__init__(dimensions)
        self.given: list[str] = []

    def embed(self, texts):
        self.given += texts
        return super().embed(texts)


def test_a_text_is_embedded_once_whoever_asks(tmp_path):
    first, second = Counting(), Counting()
    rows = CachedEmbedder(first, tmp_path / "v.db").embed(["a", "b", "a"])
    assert first.given == ["a", "b"]
    again = CachedEmbedder(second, tmp_path / "v.db").embed(["b", "c", "a"])
    assert second.given == ["c"]
    assert np.array_equal(again[[2, 0]], rows[:2])


def test_every_command_keeps_its_vectors(run, monkeypatch, tmp_path):
    counting = Counting()
    model = SimpleNamespace(fingerprint="model", embed=counting.embed)
    monkeypatch.setattr("anchors.embedding.opening.open_embedder", lambda _, **__: model)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run("init", "--sample")
    run("formulas", "add", "Δ12 = (вода + весна) = «Зов»")
    tree = json.loads(run("list", "--json")[1])[0]["id"]
    for command in (
        ["formulas", "near", "вода"],
        ["formulas", "near", "--recall"],
        ["axes", "suggest", tree],
        ["anchors", "discover", "--rule", "meaning"],
    ):
        assert run(*command, "--embedder", "model")[0] == 0
        assert run(*command, "--embedder", "model")[0] == 0
    assert len(counting.given) > 10
    assert len(counting.given) == len(set(counting.given))


def test_another_embedder_has_other_vectors_in_the_same_file(tmp_path):
    for dimensions in (64, 32):
        cached = CachedEmbedder(HashedEmbedder(dimensions), tmp_path / "v.db")
        assert cached.embed(["a"]).shape == (1, dimensions)


def test_a_damaged_cache_says_what_to_do(tmp_path):
    (tmp_path / "v.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(EmbedderError, match=r"v\.db.*(?s:.)*remove the file"):
        CachedEmbedder(HashedEmbedder(), tmp_path / "v.db").embed(["a"])


def _fill(path: Path, start: int) -> None:
    cached = CachedEmbedder(HashedEmbedder(64), path)
    for number in range(start, start + 30):
        cached.embed([f"word {n}" for n in range(number, number + 5)])


def test_two_processes_share_the_cache(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill, args=(tmp_path / "v.db", n)) for n in (0, 15)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    counting = Counting()
    CachedEmbedder(counting, tmp_path / "v.db").embed([f"word {n}" for n in range(49)])
    assert counting.given == []


# --- an endpoint ----------------------------------------------------------------------------------


@contextmanager
def server(answer):
    """A real server; ``answer(requests so far)`` gives status and body. Yields (url, requests)."""
    requests: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append({"path": self.path, "key": self.headers["Authorization"], **body})
            status, said = answer(requests)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/v1", requests
        finally:
            http.shutdown()
            thread.join()


def vectors(requests):
    rows = HashedEmbedder(16).embed(requests[-1]["input"]) * 3
    data = [{"index": i, "embedding": row.tolist()} for i, row in enumerate(rows)]
    return 200, {"data": data[::-1]}


def test_an_endpoint_keeps_the_promise(monkeypatch):
    monkeypatch.setenv("FOREST_EMBEDDER_KEY", "secret")
    with server(vectors) as (url, requests):
        keeps_the_promise(open_embedder(f"{url}#small"))
        many = open_embedder(f"{url}#small").embed([f"text {n}" for n in range(100)])
    assert many.shape == (100, 16)
    assert requests[0]["path"] == "/v1/embeddings"
    assert requests[0]["model"] == "small"
    assert {r["key"] for r in requests} == {"Bearer secret"}


def test_a_busy_server_is_asked_again():
    def answer(requests):
        return vectors(requests) if len(requests) == 3 else (503, {"error": "busy"})

    with server(answer) as (url, requests):
        assert EndpointEmbedder(url, "m", wait=0).embed(["a"]).shape == (1, 16)
    assert len(requests) == 3


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (503, {}, EmbedderUnavailable, "503"),
        (401, {"error": "who are you"}, EmbedderError, "FOREST_EMBEDDER_KEY"),
        (307, {}, EmbedderError, "307"),
        (200, {"models": []}, EmbedderError, "/v1"),
        (200, {"data": []}, EmbedderError, "expected 1 vectors"),
        (200, {"data": [{"index": 0, "embedding": [0, 0]}]}, EmbedderError, "all zero"),
        (200, {"data": [{"index": 0, "embedding": ["x"]}]}, EmbedderError, "no table of numbers"),
        (200, {"data": [{"index": 1, "embedding": [1, 0]}]}, EmbedderError, "not that of an embed"),
    ],
)
def test_what_a_server_may_answer_instead(status, body, error, says):
    with server(lambda _: (status, body)) as (url, _), pytest.raises(error, match=says):
        EndpointEmbedder(url, "m", wait=0).embed(["a"])


def test_an_answer_that_is_no_number_is_named(monkeypatch):
    answer = b'{"data": [{"index": 0, "embedding": [0.5, NaN]}]}'
    monkeypatch.setattr(EndpointEmbedder, "_ask", lambda *_: answer)
    with pytest.raises(EmbedderError, match="holds NaN") as error:
        EndpointEmbedder("http://127.0.0.1/v1", "m").embed(["a"])
    assert "/v1" not in str(error.value.hint)


def test_no_server_is_told_apart_from_a_wrong_answer():
    with server(vectors) as (url, _):
        pass
    with pytest.raises(EmbedderUnavailable, match="Does the server run"):
        EndpointEmbedder(url, "m", wait=0).embed(["a"])


def test_an_address_without_a_model_is_refused():
    with pytest.raises(EmbedderError, match="#MODEL"):
        open_embedder("http://127.0.0.1/v1")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("./nofolder", "there is no folder ./nofolder"),
        ("/no/such/folder", "there is no folder /no/such/folder"),
        (".", "the folder . holds no model"),
        ("./file", "./file is a file"),
    ],
)
def test_a_path_without_a_model_is_named_whatever_is_installed(name, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for module in ("sentence_transformers", "torch"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EmbedderError, match=re.escape(says)):
        open_embedder(name)


# --- models on this machine -----------------------------------------------------------------------


def test_a_name_that_the_hub_does_not_know_is_asked_for_once(monkeypatch):
    pytest.importorskip("sentence_transformers")
    asked = []

    def model_info(_, name, **__):
        asked.append(name)
        raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    with pytest.raises(EmbedderError, match="no-such/model cannot be loaded: Name or service"):
        open_embedder("no-such/model")
    assert asked == ["no-such/model"]


@pytest.mark.parametrize("module", ["sentence_transformers", "torch", "tokenizers"])
def test_what_is_missing_is_named_with_the_extra_that_brings_it(module, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    name = "no-such-model"
    if module != "sentence_transformers":
        name = str(tmp_path)
        (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    if module == "tokenizers":
        for file in ("tokenizer.json", "model.safetensors"):
            (tmp_path / file).write_bytes(b"")
        (tmp_path / "config.json").write_text('{"model_type": "model2vec"}')
    with pytest.raises(MissingExtra, match=r"pip install -e .\.\[embed"):
        open_embedder(name)


def test_a_small_model_from_a_package_finds_the_paraphrase(tmp_path):
    """WordLlama's table of 256 dimensions comes whole with its wheel."""
    for needed in ("safetensors", "tokenizers"):
        pytest.importorskip(needed, reason=f"the extra embed-table is not installed: {needed}")
    package = pytest.importorskip("wordllama", reason="wordllama, which ships a model, is not here")
    files = Path(package.__file__).parent
    (tmp_path / "tokenizer.json").symlink_to(files / "tokenizers/l2_supercat_tokenizer_config.json")
    (tmp_path / "model.safetensors").symlink_to(files / "weights/l2_supercat_256.safetensors")
    embedder = open_embedder(str(tmp_path))
    keeps_the_promise(embedder)
    asked, same, other = embedder.embed(
        ["a physician heals the sick", "doctors cure patients", "the moon orbits the earth"]
    )
    assert asked @ same > asked @ other + 0.2
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(EmbedderError, match=r"tokenizer\.json"):
        open_embedder(str(tmp_path))


@pytest.fixture
def encoders(tmp_path):
    """Two folders with a tiny BERT of random weights: a plain one, one of sentence-transformers."""
    for needed in ("torch", "transformers", "sentence_transformers"):
        pytest.importorskip(needed, reason=f"the extra embed is not installed: {needed}")
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(0)
    letters = sorted(set("".join(TEXTS).lower()) - {" "})
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *[f"##{x}" for x in letters]]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    plain, sentence = tmp_path / "plain", tmp_path / "sentence"
    transformers.BertModel(config).save_pretrained(plain)
    transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(plain)
    SentenceTransformer(str(plain)).save(str(sentence))
    return plain, sentence


def test_encoders_keep_the_promise_and_read_the_beginning_of_long_texts(encoders, capfd):
    """Padding must not change a vector; both folders hold one model and its mean."""
    capfd.readouterr()
    rows = []
    for folder in encoders:
        embedder = open_embedder(str(folder))
        keeps_the_promise(embedder)
        rows.append(embedder.embed([*TEXTS[:3], "вода " * 1000]))
    assert np.allclose(rows[0][:3], rows[1][:3], atol=1e-5)
    assert not np.allclose(rows[0][0], rows[0][2], atol=1e-3)
    assert capfd.readouterr() == ("", "")


def test_commands_take_the_folder_of_an_encoder(encoders, run, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run("init", "--sample")
    run("formulas", "add", "Δ12 = (вода + весна) = «Зов»")
    for folder in encoders:
        options = ("--embedder", str(folder))
        assert "proposals from" in run("anchors", "discover", "--rule", "meaning", *options)[1]
        assert "Δ12" in run("formulas", "near", "вода", *options)[1]
        (folder / "model.safetensors").write_bytes(b"damaged")
        code, _, said = run("formulas", "near", "вода", *options)
        assert code == 1
        assert f"{folder} cannot be loaded" in said


def test_vectors_that_are_kept_need_no_model_until_its_files_change(
    encoders, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for folder in encoders:
        rows = cached_embedder(str(folder)).embed(TEXTS[:2])
        kind = type(open_embedder(str(folder)))
        with monkeypatch.context() as without:
            without.setattr(kind, "_load", lambda _: pytest.fail("it was loaded"))
            kept = cached_embedder(str(folder))
            assert np.array_equal(kept.embed(TEXTS[:2]), rows)
        (folder / "more.txt").write_text("x", encoding="utf-8")
        with pytest.raises(EmbedderError, match="files have changed since"):
            kept.embed(["new"])
        assert cached_embedder(str(folder)).fingerprint != kept.fingerprint
        assert cached_embedder(str(folder)).embed(["new"]).shape == (1, 16)


def test_a_folder_that_lacks_weights_or_a_vocabulary_is_refused(encoders):
    from safetensors.numpy import load_file, save_file

    for folder in encoders:
        file, whole = folder / "model.safetensors", (folder / "model.safetensors").read_bytes()
        for lacks, says in ((".attention.", "10 of its weights are missing"), ("pooler.", "")):
            kept = {k: v for k, v in load_file(file).items() if lacks not in k}
            save_file(kept, file, metadata={"format": "pt"})
            if says:
                with pytest.raises(EmbedderError, match=says):
                    open_embedder(str(folder))
            else:  # nothing is made of them
                open_embedder(str(folder))
            file.write_bytes(whole)
        (folder / "tokenizer.json").unlink()
        with pytest.raises(EmbedderError, match="its tokenizer knows 5 tokens, its network"):
            open_embedder(str(folder))


def test_words_that_share_no_letters_do_not_meet_by_chance():
    for one, other in (("пила", "край"), ("печь", "глаз")):
        a, b = HashedEmbedder().embed([one, other])
        assert abs(a @ b) < 0.3
