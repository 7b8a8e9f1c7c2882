"""A base from a GGUF file: its weights unpacked, its tokenizer as it was."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from training.corpus import Corpus
from training.errors import BaseError, MissingExtra

pytestmark = pytest.mark.usefixtures("stack")

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "model.layers.": "blk.",
    "self_attn.o_proj": "attn_output",
    "self_attn.": "attn_",
    "mlp.": "ffn_",
    "post_attention_layernorm": "ffn_norm",
    "input_layernorm": "attn_norm",
    "_proj": "",
}
"""What parts of a Llama are called in GGUF."""


def write_gguf(path: Path, model: Any, tokenizer: Any) -> None:
    """A tiny Llama as llama.cpp keeps it, its matrices in 8 bits."""
    import gguf

    config, file = model.config, gguf.GGUFWriter(path, "llama")
    heads = config.num_attention_heads
    file.add_context_length(config.max_position_embeddings)
    file.add_embedding_length(config.hidden_size)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_block_count(config.num_hidden_layers)
    file.add_head_count(heads)
    file.add_head_count_kv(heads)
    file.add_rope_dimension_count(config.hidden_size // heads)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    special = {t["content"] for t in told["added_tokens"] if t["special"]}
    kinds = gguf.TokenType
    file.add_tokenizer_model("gpt2")
    file.add_token_list(words)
    file.add_token_types([kinds.CONTROL if w in special else kinds.NORMAL for w in words])
    file.add_token_merges([" ".join(merge) for merge in told["model"]["merges"]])
    file.add_bos_token_id(tokenizer.bos_token_id)
    file.add_eos_token_id(tokenizer.eos_token_id)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":  # it is that of the embeddings
            continue
        array = tensor.numpy()
        if "q_proj" in name or "k_proj" in name:  # llama.cpp turns pairs that lie side by side
            array = array.reshape(heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        for ours, theirs in NAMES.items():
            name = name.replace(ours, theirs)  # noqa: PLW2901
        kind = gguf.GGMLQuantizationType.Q8_0 if array.ndim == 2 else None
        data = gguf.quantize(array, kind) if kind else array
        file.add_tensor(name, data, raw_dtype=kind)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


@pytest.fixture(scope="module")
def whole(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A GGUF file that is whole."""
    pytest.importorskip("gguf", reason="the extra gguf is not installed")
    from training import tiny

    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path, *tiny.make("bpe", [r["text"] for r in corpus.records()], 0))
    return path.read_bytes()


def test_a_gguf_file_becomes_a_base_that_speaks_as_it_did(
    stack: Any, corpus: Corpus, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    pytest.importorskip("gguf", reason="the extra gguf is not installed")
    from training import tiny
    from training.base import Base, prepare

    model, tokenizer = tiny.make("bpe", [r["text"] for r in corpus.records()], 0)
    write_gguf(tmp_path / "tiny.Q8_0.gguf", model, tokenizer)
    base, again = (
        prepare(str(tmp_path / "tiny.Q8_0.gguf"), tmp_path / folder, corpus)
        for folder in ("base", "again")
    )
    assert base.hash == again.hash
    assert capfd.readouterr().err == ""
    assert Base.open(base.path).name == "tiny.Q8_0.gguf"
    assert set(base.about["tokens"]) == {"Δ12", "Δ13", "Δ14", "⤳", "🫧"}
    assert min(base.new_rows) >= len(tokenizer)
    text = "Там, где весна, всегда порог."
    ids = tokenizer(text, return_tensors="pt").input_ids
    assert base.tokenizer()(text, add_special_tokens=False).input_ids == ids[0].tolist()
    with stack.inference_mode():
        was, now = model(ids).logits[0], base.model()(ids).logits[0, :, : len(tokenizer)]
    assert (was.softmax(-1) - now.softmax(-1)).abs().sum(-1).max() < 0.02


@pytest.mark.parametrize("size", [0, 10, 1000, 20_000, -1000])
def test_a_gguf_file_that_was_cut_is_named(size: int, whole: bytes, tmp_path: Path, run: Run):
    (tmp_path / "cut.gguf").write_bytes(whole[:size])
    code, _, err = run("base", "prepare", str(tmp_path / "cut.gguf"), str(tmp_path / "base"))
    assert code == 1
    assert err.startswith(f"forest: {tmp_path / 'cut.gguf'} is damaged: ")
    assert err.endswith("get it again, whole.\n")
    assert err.count("\n") == 2
    assert not (tmp_path / "base").exists()


def test_what_is_no_gguf_file_is_refused(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from training.base import prepare

    def made(name: str) -> Any:
        return prepare(str(tmp_path / name), tmp_path / "base", corpus)

    (tmp_path / "no.gguf").write_bytes(b"GGUF, it says, but it goes on otherwise than it should")
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtra, match=r"gguf.*\n.*'\.\[train,gguf\]'"):
        made("no.gguf")
    monkeypatch.undo()
    pytest.importorskip("gguf", reason="the extra gguf is not installed")
    with pytest.raises(BaseError, match=r"no file .*missing\.gguf"):
        made("missing.gguf")
    with pytest.raises(BaseError, match=r"no\.gguf is damaged"):
        made("no.gguf")
    assert not (tmp_path / "base").exists()
