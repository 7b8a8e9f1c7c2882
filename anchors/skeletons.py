"""`forest new`: the skeleton of a tree from a template, for an author to fill in and import."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anchors.arguments import check_store, check_texts
from anchors.lemmas import lemmas
from anchors.registry import Registry
from forest.errors import Conflict, InvalidInput, NotFound, UsageError
from forest.fields import clean_name
from forest.formats.base import Notice, silent
from forest.language import check_language, guess_language
from forest.phrases import tree_id_from
from forest.shell import command_line
from forest.stores.base import Store

if TYPE_CHECKING:
    from jinja2 import Environment

DEFAULT = "premise-transition-consequence"
ENDING = ".yaml.j2"
OFFERED = 12
"""Anchors that are offered at most."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template that there is."""

    name: str
    langs: tuple[str, ...]
    """Languages it is written in; empty for one that serves all."""
    about: str
    """The first line of it, if that is a comment; or what is wrong with its file."""


def templates(folder: Path | None = None) -> list[Template]:
    """The templates of ``folder`` and those that are shipped, by name.

    Raises UsageError where there is no such folder.
    """
    found = _environment(folder)
    files: dict[str, list[str]] = {}
    for file in found.list_templates(filter_func=lambda name: name.endswith(ENDING)):
        name, _, lang = file.removesuffix(ENDING).partition(".")
        if not name.startswith("_"):
            files.setdefault(name, []).append(lang)
    return [
        Template(name, tuple(filter(None, sorted(langs))), _about(found, name, sorted(langs)))
        for name, langs in sorted(files.items())
    ]


def skeleton(
    store: Store,
    title: str,
    template: str = DEFAULT,
    *,
    lang: str | None = None,
    folder: Path | None = None,
    notice: Notice = silent,
) -> str:
    """YAML that `forest import` reads once its texts are filled in.

    :param lang: guessed from the title where none is given.
    :param notice: told where the template is not written in that language, but in English.
    :param folder: the author's own templates; they come before the shipped ones.
    :raises NotFound: there is no such template, or not in that language.
    :raises Conflict: the forest has a tree of that title.
    :raises InvalidInput: the title is empty or no text, the language none, or the template is wrong
        or writes no YAML.
    """
    from jinja2 import TemplateNotFound

    check_store(store)
    check_texts(title=title, template=template, lang=lang or "")
    if lang:
        try:
            check_language(lang)
        except ValueError as error:
            raise InvalidInput(str(error)) from None
    from forest.templating import rendered

    try:
        title = clean_name(" ".join(title.split()))
    except ValueError as error:
        raise InvalidInput(f"the title {title!r}: {error}") from None
    _refuse_known(store, title)
    guessed = lang or guess_language([title])
    found = _environment(folder)
    file = _file(found, template, folder, guessed if guessed != "und" else "en")
    if lang and file.endswith(f".en{ENDING}") and lang.partition("-")[0].lower() != "en":
        notice(f"the template {template!r} is not written in {lang}: it is the English one")
    values = {
        "title": title,
        "lang": guessed if guessed != "und" else "en",
        "anchors": fitting(Registry.of(store), title, guessed),
        "axes": [axis.name for axis in store.axes()],
    }
    try:
        text = rendered(found.get_template(file), values)
    except TemplateNotFound as error:
        raise InvalidInput(
            f"{file}: it includes {error.name!r}, which is not there",
            hint="Only files in the folder of the template, and `_parts.yaml.j2`, can be included.",
        ) from None
    except UnicodeDecodeError as error:
        raise _not_text(file, error) from None
    except RecursionError:
        raise InvalidInput(f"{file}: it calls itself without an end") from None
    except Exception as error:  # noqa: BLE001  (a template computes: it may raise anything)
        line = getattr(error, "lineno", None)
        said = str(error) or type(error).__name__
        raise InvalidInput(f"{file}{f':{line}' if line else ''}: {said}") from None
    _refuse_other_than_yaml(file, text)
    return text.strip("\n") + "\n"


def _not_text(file: str, error: UnicodeDecodeError) -> InvalidInput:
    return InvalidInput(f"{file}: it is not UTF-8 at byte {error.start}")


def _refuse_other_than_yaml(file: str, text: str) -> None:
    import yaml

    try:
        top = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or error
        where = f" at line {mark.line + 1} of it" if mark else ""
        raise InvalidInput(f"{file}: what it writes is not YAML{where}: {problem}") from None
    except RecursionError:
        raise InvalidInput(f"{file}: what it writes is nested too deep") from None
    if not isinstance(top, yaml.MappingNode):
        raise InvalidInput(
            f"{file}: what it writes is no tree: expected YAML with tree and nodes",
            hint="`forest new --list` names the shipped templates, which write one.",
        )


def fitting(registry: Registry, title: str, lang: str) -> list[str]:
    """Anchors to offer for a title: those that share its rarest words, then the widest shared.

    Of those without such words the ones of its language come before the others.
    """
    groups = [group for group in registry.groups() if group.anchors[0].kind == "phrase"]
    words = {group.id: set(lemmas(group.phrase)) for group in groups}
    spread = Counter(word for said in words.values() for word in said)
    asked, ranked = set(lemmas(title)), []
    for group in groups:
        common = sum(1 / spread[word] for word in asked & words[group.id])
        foreign = group.anchors[0].lang not in (lang, "und")
        ranked.append((-common, foreign, -max(a.trees for a in group.anchors), group.phrase))
    return [phrase for *_, phrase in sorted(ranked)[:OFFERED]]


def _refuse_known(store: Store, title: str) -> None:
    id_ = tree_id_from(title)
    try:
        tree = store.get(id_)
    except NotFound:
        return
    raise Conflict(
        f"the forest already has a tree {id_!r} ({tree.title!r})",
        hint=f"Choose another title, or `{command_line('edit', id_)}`.",
    )


def _environment(folder: Path | None) -> Environment:
    from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader

    from forest.templating import Bounded

    folder = Path(folder) if folder is not None else None
    if folder and not folder.is_dir():
        raise UsageError(
            f"there is no folder {folder} with templates",
            hint="It is named by --templates, FOREST_TEMPLATES, or `templates` in forest.toml.",
        )
    own = [FileSystemLoader(folder)] if folder else []
    loader = ChoiceLoader([*own, PackageLoader("anchors", "templates")])
    found = Bounded(loader=loader)
    found.filters["quoted"] = lambda text: json.dumps(_line(text), ensure_ascii=False)
    found.filters["line"] = _line
    return found


def _line(text: Any) -> str:
    """On one line, so that it stays within a comment."""
    return re.sub(r"[\s\x85\u2028\u2029]+", " ", str(text)).strip()


def _file(found: Environment, template: str, folder: Path | None, lang: str) -> str:
    there = set(found.list_templates())
    for tail in (f".{lang}", f".{lang.partition('-')[0]}", "", ".en"):
        if (file := f"{template}{tail}{ENDING}") in there:
            return file
    known = templates(folder)
    if langs := next((t.langs for t in known if t.name == template), ()):
        raise NotFound(
            f"the template {template!r} is written in {', '.join(langs)}, not in {lang}",
            hint=f"Say --lang {langs[0]}, or write {template}.{lang}{ENDING}.",
        )
    names: Sequence[str] = [t.name for t in known]
    raise NotFound(f"there is no template {template!r}", hint=f"There are: {', '.join(names)}.")


def _about(found: Environment, name: str, langs: Sequence[str]) -> str:
    from jinja2 import TemplateSyntaxError

    files = [f"{name}{f'.{lang}' if lang else ''}{ENDING}" for lang in langs]
    for file in files:
        try:
            found.get_template(file)
        except UnicodeDecodeError as error:
            return _not_text(file, error).message
        except TemplateSyntaxError as error:
            return f"broken: {file}:{error.lineno}: {error.message}"
    source = found.loader.get_source(found, files[0])[0] if found.loader else ""
    comment = re.match(r"\s*\{#-?(.*?)-?#\}", source, re.DOTALL)
    return _line(comment[1]) if comment else ""
