"""Masks that are worn, removed, found stale, and merged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporters.export import export_corpus
from exporters.recipe import Recipe
from tests.conftest import Run
from tests.export_helpers import SMALL, planted, tree
from tests.training.conftest import outline
from training.config import Config
from training.corpus import Corpus
from training.errors import MaskError
from training.masks import Library, Mask

pytestmark = pytest.mark.usefixtures("stack")


@pytest.fixture(scope="module")
def shelf(corpus: Corpus, base: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Masks of all sorts: plain ones, of another scale and modules, DoRA, without rows."""
    from training.train import train

    folder = tmp_path_factory.mktemp("shelf")
    sorts: dict[str, dict[str, Any]] = {
        "Δ42_logic": {},
        "Δ42_тело": {"rslora": True, "r": 8, "modules": ["q_proj", "v_proj"]},
        "dora": {"dora": True},
        "bare": {"new_rows": False},
    }
    for seed, (name, lora) in enumerate(sorts.items()):
        told = {"seed": seed, "steps": 3, "row": 256, "rate": 0.05, "threads": 1}
        settings = Config.read({"training": told, "lora": lora}, "test")
        train(corpus, base, name, settings, masks=folder)
    return folder


@pytest.fixture
def own(shelf: Path, tmp_path: Path) -> Library:
    """Copies that a test may change, in the folder `masks`."""
    for path in shelf.iterdir():
        target = tmp_path / "masks" / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    return Library(tmp_path / "masks")


def test_the_mask_that_is_worn_is_kept_and_marked(own: Library, run: Run):
    assert own.worn == "base"
    assert run("masks", "switch", "Δ42_тело")[0] == 0
    assert own.worn == "Δ42_тело"
    marked = [
        line.split("\t")[0] for line in run("masks", "list")[1].splitlines()[1:] if "worn" in line
    ]
    assert marked == ["Δ42_тело"]
    own.path("Δ42_тело").unlink()
    with pytest.raises(MaskError, match="says to wear Δ42_тело, which is not there"):
        _ = own.worn
    code, out, err = run("masks", "list")
    names = [line.split("\t")[0] for line in out.splitlines()]
    assert (code, names) == (1, ["mask", "bare", "dora", "Δ42_logic"])
    assert "says to wear Δ42_тело, which is not there" in err
    assert run("masks", "switch", "base")[0] == 0
    assert own.worn == "base"
    code, _, err = run("masks", "switch", "Δ43")
    assert (code, "There are: " in err) == (1, True)


def test_removing_takes_what_belongs_to_the_mask_and_nothing_else(own: Library, run: Run):
    (own.folder / ".Δ42_logic.checkpoint").write_bytes(b"half")
    (own.folder / "Δ42_logic.md").write_text("my notes", encoding="utf-8")
    own.switch("Δ42_logic")
    before = {path.name for path in own.folder.iterdir()}
    code, _, err = run("masks", "remove", "Δ42_logic")
    assert (code, "say --yes" in err) == (1, True)
    code, _, _ = run("masks", "remove", "dora", "Δ43", "--yes")
    assert (code, {path.name for path in own.folder.iterdir()}) == (1, before)
    code, out, _ = run("masks", "remove", "Δ42_logic", "--yes")
    assert (code, out.splitlines()[-1]) == (
        0,
        "Δ42_logic was worn: the base speaks without a mask now",
    )
    assert "worn" not in run("masks", "remove", "Δ42_тело", "--yes")[1]
    before -= {"Δ42_тело.safetensors", "Δ42_тело.jsonl"}
    gone = before - {path.name for path in own.folder.iterdir()}
    assert gone == {
        "Δ42_logic.safetensors",
        "Δ42_logic.jsonl",
        ".Δ42_logic.checkpoint",
        "worn.txt",
    }
    assert own.worn == "base"


@pytest.mark.parametrize(
    ("trees", "recipe", "said", "parts"),
    [
        (24, {}, None, set()),
        (24, {"seed": 5}, "the same forest by another recipe", {"recipe_hash"}),
        (23, {}, "the forest has changed", {"forest_revision"}),
        (23, {"seed": 5}, "and so has the recipe", {"forest_revision", "recipe_hash"}),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_stale_mask_is_named_with_what_has_moved(
    run: Run,
    tmp_path: Path,
    trees: int,
    recipe: dict[str, Any],
    said: str | None,
    parts: set[str],
):
    forest = [tree(f"Дерево {n}", outline(n)) for n in range(trees)]
    told = SMALL.model_dump() | {"corpus": {"validation": 0.4}} | recipe
    export_corpus(planted(*forest), tmp_path / "now", Recipe.read(told, "small"))
    command = ("masks", "stale", "Δ42_logic", "--corpus", "now")
    code, out, _ = run(*command)
    assert code == (said is not None)
    assert (said or "") in out
    assert ("Δ42_logic" in out) == (said is not None)
    (entry,) = json.loads(run(*command, "--json")[1])
    assert set(entry["moved"]) - {"hash"} == parts


@pytest.mark.usefixtures("own")
def test_the_same_forest_and_recipe_exported_otherwise_is_stale_too(harmed: Path, run: Run):
    manifest = json.loads((harmed / "manifest.json").read_text(encoding="utf-8"))
    (harmed / "manifest.json").write_text(json.dumps(manifest | {"new": 1}), encoding="utf-8")
    code, out, _ = run("masks", "stale", "--corpus", str(harmed))
    assert code == 1
    assert out.count("the same forest and recipe, exported otherwise") == 4


def deltas(tensors: dict[str, Any], mask: Mask) -> dict[str, Any]:
    """What a mask adds to each matrix of the base."""
    lora = mask.about["lora"]
    scale = lora["lora_alpha"] / (lora["r"] ** 0.5 if lora["use_rslora"] else lora["r"])
    return {
        name.removesuffix(".lora_A.weight"): scale
        * (tensors[name.replace("lora_A", "lora_B")] @ tensors[name])
        for name in tensors
        if "lora_A" in name
    }


@pytest.mark.parametrize("how", ["cat", "svd"])
def test_a_merged_mask_adds_what_its_parts_add_times_their_weights(
    stack: Any, own: Library, base: Any, run: Run, how: str
):
    names = ("Δ42_тело", "Δ42_logic")
    wide = ("--rank", "24") if how == "svd" else ()
    command = ("masks", "merge", *names, "--base", str(base.path), "--how", how, *wide)
    code, _, err = run(*command, "--into", "both", "--weights", "0.7,-0.2")
    assert code == 0
    assert "switched ones 100%" in err
    merged, *parts = (own.open(name) for name in ("both", *names))
    body, logic = (deltas(part.tensors(), part) for part in parts)
    for name, delta in deltas(merged.tensors(), merged).items():
        wanted = 0.7 * body.get(name, 0) - 0.2 * logic.get(name, 0)
        assert stack.allclose(delta, wanted, atol=1e-5), name
    (rows,) = (name for name in merged.tensors() if "tokens_delta" in name)
    bare = base.model().get_input_embeddings().weight[base.new_rows]
    added = [part.tensors()[rows] - bare for part in parts]
    wanted = bare + 0.7 * added[0] - 0.2 * added[1]
    assert stack.allclose(merged.tensors()[rows], wanted, atol=1e-5)
    told = merged.about["merged"]["of"]
    assert [(part["name"], part["weight"]) for part in told] == [
        ("Δ42_тело", 0.7),
        ("Δ42_logic", -0.2),
    ]
    assert told[1]["sha256"] == parts[1].about["sha256"]
    before = merged.path.read_bytes()
    assert run("masks", "remove", "both", "--yes")[0] == 0
    run(*command, "--into", "both", "--weights", "0.7,-0.2")
    assert merged.path.read_bytes() == before


def test_what_cannot_be_merged_is_refused(
    own: Library, corpus: Corpus, tmp_path: Path, tell: Callable[..., str]
):
    from training.base import prepare

    other = tmp_path / "other"
    prepare("tiny:", other, corpus, seed=5)
    assert "was trained with DoRA" in tell("Δ42_logic", "dora")
    assert "trained on another base" in tell("Δ42_logic", "bare", base=other)
    assert "two different masks" in tell("Δ42_logic", "Δ42_logic")
    assert "2 masks need a weight each; there are 1: 1" in tell(
        "Δ42_logic", "bare", more=("--weights", "1")
    )
    assert "bare would be merged with the weight 0\n" in tell(
        "Δ42_logic", "bare", more=("--weights", "1,0")
    )
    assert "A rank is for svd" in tell("Δ42_logic", "bare", more=("--rank", "3"))
    assert "exists already" in tell("Δ42_logic", "bare", into="dora")
    assert sorted(mask.name for mask in own) == ["bare", "dora", "Δ42_logic", "Δ42_тело"]


@pytest.fixture
def tell(run: Run, base: Any) -> Callable[..., str]:
    """The error of `forest masks merge --how cat`."""
    own_base = base.path

    def call(
        *names: str, base: Path = own_base, into: str = "new", more: tuple[str, ...] = ()
    ) -> str:
        where = ("--base", str(base), "--into", into, "--how", "cat")
        code, _, err = run("masks", "merge", *names, *where, *more)
        assert code == 1
        return err

    return call


def test_every_damaged_mask_is_named(own: Library, run: Run):
    for name in ("bare", "dora"):
        path = own.path(name)
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    code, out, err = run("masks", "verify")
    assert code == 1
    assert (out.count("whole"), err.count("does not match its checksum")) == (2, 2)


def test_a_stray_file_is_named_and_all_masks_are_listed(own: Library, corpus: Corpus, run: Run):
    names = [line.partition("\t")[0] for line in run("masks", "list")[1].splitlines()][1:]
    (own.folder / "stray.safetensors").write_bytes(b"garbage")
    code, out, err = run("masks", "list")
    assert (code, [line.partition("\t")[0] for line in out.splitlines()][1:]) == (1, names)
    assert "stray.safetensors is not a mask" in err
    code, out, err = run("masks", "stale", "--corpus", str(corpus.path), "--json")
    assert (code, [one["name"] for one in json.loads(out)]) == (1, names)
    assert "stray.safetensors is not a mask" in err


def test_two_masks_that_are_called_the_same_are_refused(own: Library):
    (path,) = (p for p in own.paths if p.stem == "Δ42_logic")
    path.with_name("й.safetensors").write_bytes(path.read_bytes())
    assert own.open("й").path.stem == "й"
    path.with_name("и\u0306.safetensors").write_bytes(path.read_bytes())  # looks like it
    with pytest.raises(MaskError, match=r"two masks called й.*'\\u0438\\u0306' and '\\u0439'"):
        own.open("й")


def test_a_mask_is_called_as_its_file_is(own: Library, run: Run):
    own.path("bare").rename(own.folder / "Δ7_край.safetensors")
    names = [line.partition("\t")[0] for line in run("masks", "list")[1].splitlines()]
    assert "bare" not in names
    assert "Δ7_край" in names
    shown = run("masks", "show", "Δ7_край")[1]
    assert "delta7_kra" in shown
    assert "trained as bare" in shown
    assert run("masks", "verify", "Δ7_край")[0] == 0


def test_a_merge_has_no_more_rank_than_there_is(own: Library, base: Any, run: Run):
    svd = ("--base", str(base.path), "--how", "svd")
    names = ("Δ42_тело", "Δ42_logic")
    code, _, err = run("masks", "merge", *names, *svd, "--into", "both", "--rank", "25")
    assert (code, "the rank 25 is more than there is" in err, "--rank 24" in err) == (1, True, True)
    assert "both" not in [mask.name for mask in own]
    assert run("masks", "merge", *names, *svd, "--into", "both", "--rank", "24")[0] == 0
    assert run("ask", "Там", "--base", str(base.path), "--mask", "both", "--length", "2")[0] == 0
    shown = run("masks", "show", "both")[1]
    assert "Δ42_тело on all kinds of record; Δ42_logic on all kinds of record" in shown


def test_a_mask_whose_settings_do_not_fit_its_tensors_is_one_error_everywhere(
    own: Library, corpus: Corpus, base: Any, run: Run, tmp_path: Path
):
    path = own.path("bare")
    path.write_bytes(path.read_bytes().replace(b'\\"r\\":16', b'\\"r\\":15'))
    where = ("--base", str(base.path))
    for command in (
        ("masks", "verify", "bare"),
        ("masks", "verify", "bare", *where),
        ("masks", "export", "bare", "out"),
        ("masks", "merge", "bare", "Δ42_logic", *where, "--into", "new", "--how", "cat"),
        ("ask", "Там", *where, "--mask", "bare"),
        ("ask", "Там", *where, "--compare", "bare,base"),
        ("evaluate", "bare", *where, "--corpus", str(corpus.path), "--only", "plain"),
    ):
        code, _, err = run(*command)
        assert code == 1, command
        assert "its settings say the rank 15, its tensors are of rank 16" in err, command
        assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_a_changed_setting_of_a_mask_is_found(own: Library, run: Run):
    path = own.path("bare")
    changed = path.read_bytes().replace(b'\\"lora_alpha\\":16', b'\\"lora_alpha\\":99')
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    code, _, err = run("masks", "verify", "bare")
    assert (code, "bare.safetensors does not match its checksum" in err) == (1, True)


def test_a_file_called_base_and_a_link_to_nothing_are_named(own: Library, run: Run):
    own.path("dora").rename(own.folder / "base.safetensors")
    (own.folder / "link.safetensors").symlink_to("gone.safetensors")
    code, out, err = run("masks", "list")
    assert (code, out.count("worn")) == (1, 1)  # in the head alone
    assert "base.safetensors is called as the voice without a mask is" in err
    code, _, err = run("masks", "show", "link")
    assert (code, "a link to gone.safetensors, which is not there" in err) == (1, True)


@pytest.mark.parametrize("name", ["v1.2", "Δ07_логик й"])
def test_a_file_whose_name_no_command_takes_is_listed_and_to_be_renamed(
    own: Library, run: Run, name: str
):
    own.path("dora").rename(own.folder / f"{name}.safetensors")
    code, out, err = run("masks", "list")
    assert (code, f"\n{name}\t" in out) == (1, True)
    assert f"{name}.safetensors has to be renamed: " in err
    for command in (("show",), ("remove", "--yes"), ("switch",)):
        code, _, err = run("masks", *command, name)
        assert (code, f"{name}.safetensors has to be renamed: " in err) == (1, True)
    (own.folder / f"{name}.safetensors").rename(own.folder / "v1_2.safetensors")
    assert run("masks", "show", "v1_2")[0] == 0


def test_an_export_names_the_base_it_was_given_and_says_where_it_names_none(
    own: Library, base: Any, run: Run
):
    def named(out: str) -> Any:
        told = (own.folder.parent / out / "adapter_config.json").read_text(encoding="utf-8")
        return json.loads(told)["base_model_name_or_path"]

    assert "names no base" in run("masks", "export", "bare", "one")[2]
    assert named("one") is None
    assert "names no base" not in run("masks", "export", "bare", "two", "--base", str(base.path))[2]
    assert named("two") == str(base.path.resolve())
