"""The library of masks: one file each, all about it inside, never on another base."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from training.corpus import Corpus
from training.errors import MaskError
from training.files import folder_whole
from training.masks import Library, Mask, checked_name, slug

pytestmark = pytest.mark.usefixtures("stack")


@pytest.fixture(scope="module")
def masks(corpus: Corpus, base: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two masks of one base, trained to be heard."""
    from training.config import Config
    from training.train import train

    folder = tmp_path_factory.mktemp("library")
    for seed, name in enumerate(("Δ42_logic", "Δ42_тело")):
        told = {"seed": seed, "steps": 3, "row": 256, "rate": 0.05, "threads": 1}
        train(corpus, base, name, Config.read({"training": told}, "test"), masks=folder)
    return folder


def said(voices: Any, name: str, text: str = "Там, где вода") -> Any:
    tokens = voices.tokenizer(text, return_tensors="pt").input_ids
    with voices.wearing(name) as model:
        return model(input_ids=tokens).logits[0]


def test_masks_are_switched_and_the_base_stays_what_it_was(stack: Any, masks: Path, base: Any):
    from training.voices import Voices

    library = Library(masks)
    both = Voices(base, [library.open("Δ42_logic"), library.open("Δ42_тело")])
    alone = Voices(base, [library.open("Δ42_тело")])
    assert both.names == ["base", "Δ42_logic", "Δ42_тело"]
    logic, body, bare = (said(both, n) for n in ("Δ42_logic", "Δ42_тело", "base"))
    assert not stack.allclose(logic, body, atol=1e-2)
    assert stack.equal(body, said(alone, "Δ42_тело"))
    assert stack.equal(bare, said(Voices(base), "base"))
    assert stack.equal(logic, said(both, "Δ42_logic"))


def test_an_answer_that_is_cut_within_a_letter_ends_before_it(base: Any):
    from training.voices import Voices

    voices = Voices(base)
    said = [
        voices.answer(["Там, где вода"], ["base"], length=1, temperature=5, seed=seed)[0]
        for seed in range(40)
    ]
    assert any(said)
    assert not any(text.endswith("\ufffd") for text in said)


def test_another_base_is_refused_with_the_reason(
    masks: Path, corpus: Corpus, tmp_path: Path, base: Any
):
    from training.base import prepare
    from training.voices import Voices

    other = prepare("tiny:", tmp_path / "other", corpus, seed=5)
    mask = Library(masks).open("Δ42_logic")
    with pytest.raises(MaskError, match="with other weights"):
        Voices(other, [mask])
    spoken = prepare("tiny:sentencepiece", tmp_path / "spoken", corpus)
    with pytest.raises(MaskError, match="with another tokenizer"):
        mask.verify(spoken)
    mask.verify(base)


def test_an_export_loads_in_peft_and_merged_says_the_same(
    stack: Any, masks: Path, base: Any, tmp_path: Path
):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from training.library import quiet
    from training.voices import Voices

    mask = Library(masks).open("Δ42_logic")
    mask.export(tmp_path / "peft", base)
    mask.export(tmp_path / "whole", base, merged=True)
    voices = Voices(base, [mask])
    tokens = voices.tokenizer("Δ12 и вода", return_tensors="pt").input_ids
    worn = said(voices, "Δ42_logic", "Δ12 и вода")
    with stack.inference_mode(), quiet():
        peft = PeftModel.from_pretrained(base.model(), tmp_path / "peft").eval()
        assert stack.allclose(peft(input_ids=tokens).logits[0], worn, atol=1e-5)
        whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole").eval()
        assert stack.allclose(whole(input_ids=tokens).logits[0], worn, atol=1e-4)
    with pytest.raises(MaskError, match="exists and is not empty"):
        mask.export(tmp_path / "peft")


@pytest.mark.parametrize("since", ["now", "before"])
def test_what_is_served_answers_as_ask_does(
    since: str, masks: Path, base: Any, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
):
    """The exported folder alone, its tokenizer called plainly; also of a base prepared before."""
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.ask import ask
    from training.base import Base
    from training.examples import encode
    from training.library import quiet

    if since == "before":
        plain = base.tokenizer()
        plain.backend_tokenizer.post_processor = None
        monkeypatch.setattr(Base, "tokenizer", lambda _: deepcopy(plain))
    text, about = "Там, где вода Δ12", ("--base", str(base.path), "--masks", str(masks))
    mask = Library(masks).open("Δ42_logic")
    (answer,) = ask(text, base, [mask], bare=False, length=12, temperature=0)
    code, _, err = run("masks", "export", mask.name, str(tmp_path / "peft"), *about)
    assert (code, "does not put the sign for a beginning" in err) == (0, since == "before")
    assert run("masks", "export", mask.name, str(tmp_path / "whole"), "--merged", *about)[0] == 0
    said = list[str]()
    for kind, folder in ((AutoPeftModelForCausalLM, "peft"), (AutoModelForCausalLM, "whole")):
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / folder)
        asked = tokenizer(text, return_tensors="pt")
        example = encode({"text": text}, tokenizer, end=False)
        assert example is not None
        assert asked.input_ids[0].tolist() == example.ids
        with quiet():
            model = kind.from_pretrained(tmp_path / folder).eval()
            told = model.generate(**asked, do_sample=False, max_new_tokens=12)[0]
        said.append(tokenizer.decode(told[asked.input_ids.shape[1] :], skip_special_tokens=True))
    assert [text.rstrip("\ufffd") for text in said] == [answer.text] * 2


def test_an_export_says_where_peft_would_forget_the_bias_of_the_head(masks: Path, tmp_path: Path):
    mask = Library(masks).open("Δ42_logic")
    assert "peft loads it" in mask.serving(tmp_path)
    mask.about["base"]["head_bias"] = True
    assert "forgets the bias" in mask.serving(tmp_path)
    assert "--merged" in mask.serving(tmp_path)


def test_the_increment_sign_in_a_name_is_the_letter(masks: Path, base: Any, run: Run):
    library, sign = Library(masks), "\u220642_logic"
    assert library.open(sign).name == "Δ42_logic"
    where = ("--base", str(base.path), "--masks", str(masks))
    code, _, err = run(
        "masks", "merge", "Δ42_logic", "Δ42_тело", *where, "--how", "cat", "--into", sign
    )
    assert (code, "note: " in err) == (1, True)
    assert "U+2206), is read as the letter Δ: Δ42_logic\n" in err
    assert "exists already" in err
    file = masks / f"{sign}.safetensors"
    file.write_bytes((masks / "Δ42_logic.safetensors").read_bytes())
    with pytest.raises(MaskError, match=r"two masks called Δ42_logic, .*'\\u220642_logic'"):
        library.open(sign)
    file.unlink()


def test_a_damaged_mask_is_found(masks: Path, tmp_path: Path, run: Run):
    file = tmp_path / "masks" / "Δ42_logic.safetensors"
    file.parent.mkdir()
    told = bytearray((masks / file.name).read_bytes())
    told[-1] ^= 1
    file.write_bytes(told)
    code, _, err = run("masks", "verify")
    assert code == 1
    assert "does not match its checksum" in err
    with pytest.raises(MaskError, match="checksum"):
        Mask.open(file).tensors()
    file.write_bytes(told[:-100])
    for command in (("list",), ("show", "Δ42_logic"), ("verify",)):
        code, _, err = run("masks", *command)
        assert (code, f"is damaged: it has {len(told) - 100:,} bytes" in err) == (1, True)
    file.write_bytes(b"\x80\x04pickle")
    code, _, err = run("masks", "list")
    assert (code, "is not a mask" in err) == (1, True)


def test_the_library_on_the_command_line(masks: Path, base: Any, tmp_path: Path, run: Run):
    where = ("--masks", str(masks))
    code, out, _ = run("masks", "list", *where)
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == ["mask", "Δ42_logic", "Δ42_тело"]
    about = json.loads(run("masks", "show", "Δ42_тело", *where, "--json")[1])
    assert about["slug"] == "delta42_telo-fe7c7427"
    assert about["base"]["hash"] == base.hash
    assert run("masks", "verify", "--base", str(base.path), *where)[0] == 0
    assert about["sha256"] in run("masks", "show", "Δ42_тело", *where)[1]
    assert about["sha256"] in run("masks", "show", "Δ42_тело.safetensors", *where)[1]
    code, _, err = run("masks", "export", "Δ42_logic", "out", *where)
    assert (code, "vLLM refuses its rows of embeddings" in err) == (0, True)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    code, _, err = run("masks", "show", "Δ43", *where)
    assert code == 1
    assert "There are: Δ42_logic, Δ42_тело." in err


@pytest.mark.parametrize(
    "name",
    ["a/b", "a.b", "", "-x", "a b", "a,b", "a\u200b", "\u0301a", "base", "..", "x" * 201],
)
def test_what_cannot_name_a_mask(name: str):
    with pytest.raises(MaskError):
        checked_name(name)


def test_slugs_are_ascii_and_differ():
    names = ["Δ42_logic", "delta42_logic", "Δ42_тело", "🫧", "д", "u0434", "де", "д-е", "дa", "䍊"]
    names += ["тело", "telo", slug("тело"), "объём", "объем", "Тьма", "Тма"]
    slugs = [slug(name) for name in names]
    assert slug("тишина").startswith("tishina-")
    assert all(s.isascii() for s in slugs)
    assert len(set(slugs)) == len(names)


def test_a_folder_that_a_kill_left_half_written_is_removed(tmp_path: Path):
    write = (
        "import os, sys; from pathlib import Path; from training.files import folder_whole\n"
        "with folder_whole(Path(sys.argv[1])) as room:\n"
        "    (room / 'model').touch(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", write, str(tmp_path / "base")], check=False)
    assert [path.name[:14] for path in tmp_path.iterdir()] == [".base.partial-"]
    with folder_whole(tmp_path / "base"), folder_whole(tmp_path / "other"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"base", "other"}


def test_the_way_on_the_command_line(corpus_folder: Path, run: Run, tmp_path: Path):
    settings = "[training]\nsteps = 2\nrow = 256\nrows = 1\nthreads = 1\n"
    (tmp_path / "quick.toml").write_text(settings, encoding="utf-8")
    code, out, err = run("base", "prepare", "tiny:", "base", "--corpus", str(corpus_folder))
    assert (code, err) == (0, "")
    assert "names that are one token each: 5" in out
    train = (
        "train",
        str(corpus_folder),
        "--base",
        "base",
        "--mask",
        "Δ12",
        "--config",
        "quick.toml",
    )
    code, out, err = run(*train)
    assert (code, err[:20]) == (0, "step 1 of 2: loss 6.")
    read = re.search(r"masks/Δ12.safetensors: 2 steps, (\d+) tokens, (\d+) of (\d+) records; ", out)
    assert read
    assert int(read[1]) <= 512
    assert int(read[2]) < int(read[3])
    code, _, err = run(*train)
    assert code == 1
    assert "the mask Δ12 exists already" in err
    code, out, _ = run("train", "--print-config")
    assert code == 0
    assert "[lora]" in out
