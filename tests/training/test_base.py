"""Preparing a base: what becomes one token, what stays as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run
from tests.training.conftest import with_tokens
from training.corpus import Corpus
from training.errors import BaseError, CorpusError
from training.tokens import codes_in, offsets_in, reserved

pytestmark = pytest.mark.usefixtures("stack")
NAMES = ["Δ12", "Δ13", "Δ14", "⤳", "🫧"]
KINDS = ["tiny:", "tiny:sentencepiece"]


def rewritten(corpus: Path, change: Any) -> Corpus:
    """The corpus with its first training record changed, as an export would have written it."""
    from training.files import measure

    manifest = json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))
    told = next(f for f in manifest["files"] if f["split"] == "train")
    path = corpus / told["path"]
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    record = json.loads(first)
    record["text"] = change(record["text"])
    path.write_text(json.dumps(record, ensure_ascii=False) + "\n" + rest, encoding="utf-8")
    told["bytes"], told["sha256"] = measure(path)
    (corpus / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return Corpus.open(corpus)


def test_the_corpus_says_what_to_reserve(corpus: Corpus, harmed: Path):
    assert reserved(corpus) == NAMES
    assert reserved(with_tokens(harmed, "Δ77", "Λ1")) == sorted([*NAMES, "Δ77", "Λ1"])
    with pytest.raises(CorpusError, match=r"tokens.json lists ' ': expected codes"):
        reserved(with_tokens(harmed, " "))


@pytest.mark.parametrize("kind", KINDS)
def test_every_code_is_one_token_wherever_it_stands(kind: str, corpus: Corpus, tmp_path: Path):
    from training.base import prepare

    tokenizer = prepare(kind, tmp_path / "base", corpus).tokenizer()
    for text in ("Δ12Δ13, (Δ14) и Δ12_logic", "то есть 🫧.\n⤳ порог", "🫧🫧 a🫧"):
        codes = [text[a:b].strip() for a, b in offsets_in(tokenizer, text)]
        for name in codes_in(text) | ({"⤳"} if "⤳" in text else set()):
            assert codes.count(name) == text.count(name)
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_is_the_same_again(kind: str, corpus: Corpus, tmp_path: Path):
    from training.base import Base, prepare

    one, two = (prepare(kind, tmp_path / str(n), corpus) for n in range(2))
    assert one.hash == two.hash == Base.open(tmp_path / "0").hash
    assert prepare(kind, tmp_path / "2", corpus, seed=1).hash != one.hash


def test_tokens_that_the_model_owns_are_kept_and_old_rows_stay(
    stack: Any, corpus: Corpus, base: Any, tmp_path: Path
):
    from training.base import prepare

    plain = tmp_path / "plain"
    model, tokenizer = base.model(), base.tokenizer()
    model.config.tie_word_embeddings = False
    model.lm_head.weight = stack.nn.Parameter(model.lm_head.weight.detach() + 1)
    model.save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    assert prepare(str(plain), tmp_path / "again", corpus).new_rows == []

    made = rewritten_tokens(corpus, tmp_path, ["Δ12", "Δ99", "⟁"])
    more = prepare(str(plain), tmp_path / "more", made)
    assert more.new_rows == [len(tokenizer), len(tokenizer) + 1]
    after = more.model()
    for table in ("get_input_embeddings", "get_output_embeddings"):
        old, new = getattr(model, table)().weight, getattr(after, table)().weight
        assert stack.equal(old, new[: len(old)])
        assert new[len(old) :].std() > 0


def of_words(corpus: Corpus, folder: Path, missing: Collection[str] = ()) -> list[str]:
    """A model whose tokenizer knows the words of a corpus but some, and has one word for the rest.

    Returns its vocabulary.
    """
    import tokenizers as t
    import transformers

    words = t.Tokenizer(t.models.WordPiece(unk_token="<unk>"))
    words.normalizer = t.normalizers.Lowercase()
    words.pre_tokenizer = t.pre_tokenizers.BertPreTokenizer()
    words.decoder = t.decoders.WordPiece()
    said = {
        word
        for split in corpus.splits
        for record in corpus.records(split)
        for word, _ in words.pre_tokenizer.pre_tokenize_str(record["text"].lower())
        if not codes_in(word.upper()) and word != "⤳"
    }
    signs = ["<unk>", "δ14", *sorted(said - {*missing, "δ14"})]
    vocabulary = {sign: n for n, sign in enumerate(signs)}
    words.model = t.models.WordPiece(vocabulary, unk_token="<unk>")
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    model_with(made, folder)
    return signs


def test_what_stands_for_all_unknown_words_is_no_code_of_the_model(corpus: Corpus, tmp_path: Path):
    from training.base import prepare

    signs = of_words(corpus, tmp_path / "plain")
    base = prepare(str(tmp_path / "plain"), tmp_path / "base", corpus)
    assert base.new_rows == list(range(len(signs), len(signs) + len(NAMES)))
    tokenizer = base.tokenizer()
    assert [tokenizer(name).input_ids for name in NAMES] == [[row] for row in base.new_rows]
    assert "unread" not in base.about


def test_a_base_that_cannot_read_the_corpus_is_refused(corpus: Corpus, tmp_path: Path):
    from training.base import prepare

    of_words(corpus, tmp_path / "plain", ["вода", ".", ","])
    wrong = r"cannot read the corpus .*% of the tokens, such as '[.,]', '[.,]'(?s:.*)falls back to"
    with pytest.raises(BaseError, match=wrong):
        prepare(str(tmp_path / "plain"), tmp_path / "base", corpus)
    assert not (tmp_path / "base").exists()


def test_a_corpus_that_the_base_cannot_read_is_not_trained_on(
    corpus: Corpus, harmed: Path, tmp_path: Path
):
    from training.base import prepare
    from training.config import Config
    from training.train import train

    of_words(corpus, tmp_path / "plain")
    base = prepare(str(tmp_path / "plain"), tmp_path / "base", corpus)
    changed = rewritten(harmed, lambda text: text + " ηχώ" * 200)
    with pytest.raises(BaseError, match=r"base cannot read the corpus .*% of the tokens stand"):
        train(changed, base, "m", Config(), masks=tmp_path)


def model_with(tokenizer: Any, folder: Path, family: str = "Llama") -> Path:
    """A model without knowledge, and that tokenizer.

    :param family: that of Qwen2 loads its tokenizer from nothing, and it then knows no word.
    """
    import transformers

    size = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": len(tokenizer)}
    config = getattr(transformers, f"{family}Config")(**size, **heads)
    tokenizer.save_pretrained(folder)
    getattr(transformers, f"{family}ForCausalLM")(config).save_pretrained(folder)
    return folder


def of_letters(corpus: Corpus, missing: str = "") -> Any:
    """A tokenizer that knows the letters of a corpus but some, which it drops without a word."""
    import tokenizers as t
    import transformers

    texts = (record["text"] for split in corpus.splits for record in corpus.records(split))
    letters = {letter for text in texts for letter in text} - {*missing, " ", "\n"}
    vocabulary = {sign: n for n, sign in enumerate(["<end>", *sorted(letters)])}
    one = t.Tokenizer(t.models.BPE(vocabulary, [], fuse_unk=True))
    one.pre_tokenizer = t.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=one, eos_token="<end>")


@pytest.mark.parametrize("with_corpus", [True, False])
@pytest.mark.parametrize("gone", [("tokenizer.json",), ("tokenizer.json", "tokenizer_config.json")])
def test_a_model_without_its_tokenizer_is_refused(
    gone: tuple[str, ...], with_corpus: bool, corpus: Corpus, base: Any, tmp_path: Path
):
    from training.base import prepare

    plain = model_with(base.tokenizer(), tmp_path / "plain", "Qwen2")
    for name in gone:
        (plain / name).unlink()
    wrong = r"(?s)tokenizer of .*plain does not know .* tokens, the network .*tokenizer.json; or"
    with pytest.raises(BaseError, match=wrong):
        prepare(str(plain), tmp_path / "base", corpus if with_corpus else None)
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_file_of_a_model_that_was_cut_is_named(name: str, base: Any, tmp_path: Path, run: Run):
    plain = model_with(base.tokenizer(), tmp_path / "plain")
    told = (plain / name).read_bytes()
    (plain / name).write_bytes(told[: -len(told) // 3])
    code, _, err = run("base", "prepare", str(plain), str(tmp_path / "base"))
    assert (code, err.count("\n")) == (1, 2)
    assert err.startswith(f"forest: {plain / name} is damaged: ")
    assert err.endswith("get it again, whole.\n")
    assert not (tmp_path / "base").exists()


def test_a_model_that_lacks_weights_is_refused(base: Any, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    from training.base import prepare

    plain = model_with(base.tokenizer(), tmp_path / "plain")
    told = load_file(plain / "model.safetensors")
    del told["model.norm.weight"]
    save_file(told, plain / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        BaseError, match=r"lacks 1 of its weights, the first is model\.norm\.weight"
    ):
        prepare(str(plain), tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_a_tokenizer_that_drops_what_it_does_not_know_is_refused(
    corpus: Corpus, harmed: Path, tmp_path: Path
):
    from training.base import prepare
    from training.config import Config
    from training.train import train

    letters = "".join(map(chr, range(ord("А"), ord("ё") + 1)))
    none = model_with(of_letters(corpus, letters), tmp_path / "none")
    with pytest.raises(BaseError, match=r"does not know .*: '.+' comes out of it as '"):
        prepare(str(none), tmp_path / "base", corpus)
    with pytest.raises(BaseError, match=r"Там, где стоит|Where the water"):
        prepare(str(none), tmp_path / "base")
    some = model_with(of_letters(corpus, "в"), tmp_path / "some")
    wrong = r"cannot read the corpus .*% of the tokens, such as '[^']*в"
    with pytest.raises(BaseError, match=wrong):
        prepare(str(some), tmp_path / "base", corpus)
    base = prepare(str(model_with(of_letters(corpus), tmp_path / "all")), tmp_path / "base", corpus)
    assert "unread" not in base.about
    changed = rewritten(harmed, lambda text: text + " ηχώ" * 3000)
    with pytest.raises(BaseError, match=r"base cannot read the corpus .*% of the tokens stand"):
        train(changed, base, "m", Config(), masks=tmp_path)


def test_a_model_whose_rows_are_no_numbers_is_refused(
    stack: Any, corpus: Corpus, base: Any, tmp_path: Path
):
    from training.base import prepare

    model = base.model()
    with stack.no_grad():
        model.get_input_embeddings().weight[7] = float("nan")
    model.save_pretrained(tmp_path / "plain")
    base.tokenizer().save_pretrained(tmp_path / "plain")
    with pytest.raises(BaseError, match=r"embeddings of .*plain hold what is no number"):
        prepare(str(tmp_path / "plain"), tmp_path / "base", corpus)
    assert not (tmp_path / "base").exists()


def test_a_little_that_a_base_cannot_read_is_told(corpus: Corpus, tmp_path: Path, run: Run):
    of_words(corpus, tmp_path / "plain", ["17"])
    where = (str(tmp_path / "plain"), str(tmp_path / "base"), "--corpus", str(corpus.path))
    code, _, err = run("base", "prepare", *where)
    assert (code, "note: its tokenizer does not know 0." in err) == (0, True)
    assert "such as '17': these can be neither learnt nor said" in err


def test_a_hub_that_does_not_answer_is_asked_once(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
):
    from huggingface_hub import constants, utils

    asked = list[str]()

    class Silent:
        def head(self, url: str, timeout: float) -> None:
            asked.append(url)
            raise OSError(f"no answer in {timeout} seconds")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(utils, "get_session", Silent)
    code, _, err = run("base", "prepare", "nosuchfolder", str(tmp_path / "base"))
    assert (code, asked) == (1, [constants.ENDPOINT])
    assert err.startswith(
        "forest: the model nosuchfolder cannot be loaded: there is no such folder, no copy in the "
        "cache of the hub, and no answer from it\nExpected a folder"
    )


@pytest.mark.parametrize("family", ["tiny:", "tiny:sentencepiece", "GPT2", "ends"])
def test_the_tokenizer_of_a_base_begins_a_text_as_training_does(
    family: str, corpus: Corpus, base: Any, tmp_path: Path
):
    """Called plainly, as what serves a model does; and tokens stand where they stood."""
    import tokenizers as t

    from training.base import prepare
    from training.examples import encode

    text, model, before = "Там, где вода Δ12.\n ⤳ порог", family, base.tokenizer()
    if not family.startswith("tiny:"):
        before.backend_tokenizer.post_processor = (
            t.processors.ByteLevel(trim_offsets=True)
            if family == "GPT2"
            else t.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
        )
        model = str(model_with(before, tmp_path / "plain"))
    made = prepare(model, tmp_path / "base", corpus).tokenizer()
    example = encode({"text": text}, made, end=False)
    assert example is not None
    assert made(text).input_ids == example.ids
    assert example.ids[0] == made.bos_token_id
    if not family.startswith("tiny:"):
        assert offsets_in(made, text) == offsets_in(before, text)


def test_a_tiny_base_tells_every_step_that_it_learns(corpus: Corpus, tmp_path: Path):
    from training.base import prepare

    told: list[dict[str, Any]] = []
    prepare("tiny:", tmp_path / "base", corpus, steps=2, progress=told.append)
    assert [(line["step"], line["steps"]) for line in told] == [(1, 2), (2, 2)]
    assert all(line["loss"] > 0 and line["tokens_per_second"] > 0 for line in told)


def test_a_tiny_base_reads_on_from_every_line_of_a_path():
    from training.examples import Examples
    from training.tiny import SPAN, _from_every_line

    end = 9
    long = [*range(10, 10 + SPAN), end, 1]
    ids = np.array([1, 2, end, 3, end, 4, *long], np.int32)
    read = _from_every_line(Examples(ids, ids != 2, [0, 6, len(ids)]), end)
    bounds = zip(read.bounds, read.bounds[1:], strict=False)
    said = [read.ids[a:b].tolist() for a, b in bounds]
    assert said == [[1, 2, end, 3, end, 4], [3, end, 4], [4], long[:SPAN], [1]]
    assert (read.mask == (read.ids != 2)).all()


def test_only_a_tiny_base_learns_as_it_is_made(base: Any, tmp_path: Path):
    from training.base import prepare

    with pytest.raises(BaseError, match="is trained already: only a tiny: base learns"):
        prepare(str(base.path), tmp_path / "base", steps=1)
    assert not (tmp_path / "base").exists()


def test_all_files_of_a_base_may_be_read_by_others(base: Any):
    assert {path.stat().st_mode & 0o777 for path in base.path.iterdir()} == {0o644}


def test_a_base_prepared_once_more_trains_its_earlier_rows_too(
    corpus: Corpus, base: Any, tmp_path: Path
):
    from training.base import prepare

    more = prepare(str(base.path), tmp_path / "more", rewritten_tokens(corpus, tmp_path, ["Δ99"]))
    assert more.new_rows == [*base.new_rows, base.about["vocabulary"]]


def rewritten_tokens(corpus: Corpus, tmp_path: Path, names: list[str]) -> Corpus:
    return with_tokens(Path(shutil.copytree(corpus.path, tmp_path / "with-tokens")), *names)


def test_a_code_that_goes_on_as_a_number_is_refused(harmed: Path, tmp_path: Path):
    from training.base import prepare

    changed = rewritten(harmed, lambda text: "Δ123 " + text[5:])
    with pytest.raises(CorpusError, match=r"split train says 'Δ123'… \(the thought [^)]+/"):
        prepare("tiny:", tmp_path / "base", changed)
    assert not (tmp_path / "base").exists()


def test_nothing_is_written_over(base: Any, corpus: Corpus):
    from training.base import prepare

    with pytest.raises(BaseError, match="exists and is not empty"):
        prepare("tiny:", base.path, corpus)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("tiny:other", "there is no tiny:other"),
        ("no/such folder", "there is no folder no/such folder"),
        ("./base", "there is no folder"),
        ("нет", "there is no folder нет"),
        ("", "no model is named"),
    ],
)
def test_what_is_no_model_is_refused(model: str, says: str, corpus: Corpus, tmp_path: Path):
    from training.base import prepare

    with pytest.raises(BaseError, match=says):
        prepare(model, tmp_path / "base", corpus)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_base_is_refused(corpus: Corpus, tmp_path: Path):
    from training.base import Base, prepare

    prepare("tiny:", tmp_path / "base", corpus)
    weights = tmp_path / "base" / "model.safetensors"
    told = bytearray(weights.read_bytes())
    told[-1] ^= 1
    weights.write_bytes(told)
    with pytest.raises(BaseError, match=r"model.safetensors does not match its checksum"):
        Base.open(tmp_path / "base")
    with pytest.raises(BaseError, match="is not a prepared base"):
        Base.open(corpus.path)


def test_a_base_is_the_same_one_on_a_machine_that_is_offline(
    corpus: Corpus, base: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from huggingface_hub import constants

    from training.base import prepare

    model = tmp_path / "model"
    base.model().save_pretrained(model)
    base.tokenizer().save_pretrained(model)
    told = []
    for offline in (False, True):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        told.append(prepare(str(model), tmp_path / f"base-{offline}", corpus))
    assert told[0].hash == told[1].hash
