"""Which files a path on the command line means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anchors.cli.importing import FORMATS as CHOICES
from forest.errors import ImportRefused, NotFound, UsageError
from forest.formats import FORMATS, SourceFile, find_files, read_file
from forest.formats.files import detect

TREE = '{"tree": "Вода", "nodes": [{"level": 0, "text": "Вода течёт."}]}'


def touch(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def found(*paths: Path, format: str = "auto") -> tuple[list[str], list[str]]:
    notices: list[str] = []
    return [s.name for s in find_files(paths, format, notices.append)], notices


def test_a_folder_is_expanded_in_order_with_names_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.md", "a/z.yaml", "a/b/c.json", "A.jsonl"):
        touch(tmp_path / "vault" / name)
    names, _ = found(Path("./vault/"), Path("vault/../vault/b.md"))
    assert names == [
        "vault/A.jsonl", "vault/a/b/c.json", "vault/a/z.yaml", "vault/b.md", "vault/b.md",
    ]  # fmt: skip
    monkeypatch.chdir(tmp_path / "vault")
    assert found(Path())[0] == ["A.jsonl", "a/b/c.json", "a/z.yaml", "b.md"]


def test_hidden_folders_and_other_files_are_left_out_and_counted(tmp_path: Path) -> None:
    for name in (".obsidian/app.json", ".trash/old.md", "a.md", "x.png", "y.png", ".hidden.md"):
        touch(tmp_path / name)
    names, notices = found(tmp_path)
    assert names == [f"{tmp_path}/a.md"]
    assert any(".obsidian: hidden folder" in n for n in notices)
    assert any("skipped 3 files" in n and "2 .png" in n for n in notices)


def test_with_a_format_only_its_files_are_taken_from_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "a.md")
    touch(tmp_path / "b.yml")
    assert found(tmp_path, format="yaml")[0] == [f"{tmp_path}/b.yml"]


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere\.json"):
        found(tmp_path / "nowhere.json")


def test_a_named_file_of_unknown_kind_is_refused_with_the_kinds(tmp_path: Path) -> None:
    path = touch(tmp_path / "tree.txt", TREE)
    with pytest.raises(ImportRefused, match=r"\.jsonl .*--format"):
        found(path)
    names, _ = found(path, format="json")
    assert len(names) == 1


@pytest.mark.parametrize("inside", ["secret.md", "folder"])
def test_a_link_that_leads_out_of_the_vault_is_refused(tmp_path: Path, inside: str) -> None:
    touch(tmp_path / "outside" / "secret.md")
    vault = tmp_path / "vault"
    touch(vault / "a.md")
    target = tmp_path / "outside" / ("secret.md" if inside.endswith(".md") else "")
    (vault / inside).symlink_to(os.path.relpath(target, vault))
    sources = list(find_files([vault]))
    assert [s.path.name for s in sources] == ["a.md", inside]
    assert list(read_file(sources[0]))
    with pytest.raises(ImportRefused, match="escapes the vault") as error:
        list(read_file(sources[1]))
    assert f"{vault}/{inside}:" in str(error.value)


def test_links_inside_a_vault_and_loops_do_no_harm(tmp_path: Path) -> None:
    touch(tmp_path / "a.md")
    (tmp_path / "same.md").symlink_to("a.md")
    (tmp_path / "gone.md").symlink_to("nothing.md")
    (tmp_path / "ring.md").symlink_to("ring.md")
    (tmp_path / "loop").symlink_to(".")
    names, notices = found(tmp_path)
    assert names == [f"{tmp_path}/a.md"]
    for name in ("same.md", "gone.md", "ring.md", "loop"):
        assert any(name in n for n in notices)


def test_a_pipe_in_a_vault_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert found(tmp_path)[0] == []


def test_notes_of_one_name_in_two_folders_get_two_ids(tmp_path: Path) -> None:
    for name in ("Index.md", "Part One/index.md", "Part One/Other.md"):
        touch(tmp_path / name, "A thought.")
    ids = [tree.id for s in find_files([tmp_path]) for tree in read_file(s)]  # type: ignore[union-attr]
    assert ids == ["index", "part-one/other", "part-one/index"]


def test_entailment_bank_is_told_by_its_first_record(tmp_path: Path) -> None:
    proof = touch(tmp_path / "p.jsonl", '\n{"id": "1", "hypothesis": "h", "proof": ""}\n')
    plain = touch(tmp_path / "t.jsonl", TREE)
    assert detect(SourceFile(proof, "p")) == "entailment-bank"
    assert detect(SourceFile(plain, "t")) == "jsonl"


def test_an_unknown_format_is_refused_with_those_there_are(tmp_path: Path) -> None:
    source = SourceFile(touch(tmp_path / "a.json", TREE), "a.json")
    with pytest.raises(UsageError, match="entailment-bank"):
        list(read_file(source, "word"))
    assert ["auto", *FORMATS] == list(CHOICES)


def test_the_file_is_the_trees_source(tmp_path: Path) -> None:
    path = touch(tmp_path / "a.json", TREE)
    (tree,) = read_file(SourceFile(path, "given/as/a.json"))
    assert tree.source == "given/as/a.json"  # type: ignore[union-attr]


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=r"a\.md: the file cannot be read"):
        list(read_file(SourceFile(tmp_path / "a.md", "a.md")))


def test_a_pipe_in_a_folder_is_skipped_and_named_as_one(tmp_path: Path) -> None:
    touch(tmp_path / "a.md")
    os.mkfifo(tmp_path / "x.md")
    names, notices = found(tmp_path)
    assert names == [f"{tmp_path}/a.md"]
    assert notices == [f"{tmp_path}/x.md: a pipe, socket or device, skipped"]


def test_a_file_whose_name_is_no_text_is_refused_by_its_name(tmp_path: Path) -> None:
    bad = tmp_path / os.fsdecode(b"v/\xff.md")
    bad.parent.mkdir()
    bad.write_text("# A\n", encoding="utf-8")
    for given in (bad, bad.parent):
        (source,) = find_files([given])
        with pytest.raises(ImportRefused, match="the name of the file is not UTF-8"):
            list(read_file(source))
