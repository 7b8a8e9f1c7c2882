"""Trees written in the owner's format, so that reading them back gives the same trees."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from forest.model import AUTHORED, AnchorLink, Thought, Tree, anchor_id

if TYPE_CHECKING:
    import yaml

_PLAIN_LINES = re.compile(r"[^\s](?:[^\t\r\x7f-\x9f\u2028\u2029\ufeff]*[^\s])?\n?")
_SPACE_AT_END = re.compile(r"[^\S\n]\n")
_LETTER = re.compile(r"[^\W\d_]")
_NUMBERED = re.compile(r"[0-9][0-9a-z]*")
_CARE = re.compile(r":(?: |\Z)| #| \Z|\A(?:yes|no|on|off|true|false|null)\Z", re.IGNORECASE)
"""What makes a text that begins with a letter more than bare words."""
_OWN_BREAKS = re.compile("[\r\t\x7f-\x9f\u2028\u2029\ufeff]")


def tree_to_dict(tree: Tree) -> dict[str, Any]:
    """The tree in the owner's format: ``{"id", "tree", "lang", "axes", "meta", "nodes"}``.

    Ids of thoughts are written without the tree's own id in front. What is empty is left out.
    """
    data: dict[str, Any] = {"id": tree.id, "tree": tree.title}
    if tree.lang not in ("", "und"):
        data["lang"] = tree.lang
    if tree.axes:
        data["axes"] = _axes(tree.axes)
    if tree.meta:
        data["meta"] = tree.meta
    prefix = tree.id + "/"
    data["nodes"] = [_node(thought, prefix) for thought in tree.thoughts]
    return data


def _axes(axes: dict[str, float]) -> dict[str, float] | list[str]:
    """The names alone where all weights are equal, as authors write them."""
    equal = 1 / len(axes)
    return list(axes) if all(weight == equal for weight in axes.values()) else dict(axes)


def _node(thought: Thought, prefix: str) -> dict[str, Any]:
    node: dict[str, Any] = {"level": thought.level}
    if thought.id:
        local = thought.id.removeprefix(prefix)
        node["id"] = thought.id if not local or "/" in local else local
    if thought.kind:
        node["kind"] = thought.kind
    if thought.lang:
        node["lang"] = thought.lang
    node["text"] = thought.text
    if thought.anchors:
        node["anchors"] = [_anchor(link) for link in thought.anchors]
    return node


def _anchor(link: AnchorLink) -> str | dict[str, Any]:
    data: dict[str, Any] = {"phrase": link.phrase}
    if link.kind != "phrase":
        data["kind"] = link.kind
    if link.anchor != anchor_id(link.phrase, link.kind):
        data["anchor"] = link.anchor
    if link.origin != AUTHORED:
        data["origin"] = link.origin
    if link.score is not None:
        data["score"] = link.score
    return data if len(data) > 1 else link.phrase


def tree_to_jsonl_line(tree: Tree) -> str:
    """The tree as one line of JSONL, without the line's end."""
    return orjson.dumps(tree_to_dict(tree)).decode()


def tree_to_yaml(tree: Tree, header: str = "") -> str:
    """The tree as YAML for people: no line is folded, all writing systems stay readable.

    :param header: lines that are put in front as comments.
    """
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    data = tree_to_dict(tree)
    if not data["nodes"]:
        return comment + _yaml(data)
    nodes = data.pop("nodes")
    return "".join((comment, _yaml(data), "nodes:\n", *map(_yaml_of_node, nodes)))


def _yaml(data: dict[str, Any]) -> str:
    """By PyYAML in Python: libyaml is faster, but writes emoji as escapes."""
    import yaml

    return yaml.dump(
        data, Dumper=_dumper(), allow_unicode=True, sort_keys=False, width=float("inf")
    )


def _yaml_of_node(node: dict[str, Any]) -> str:
    """The same, by hand where no value needs care: ten times as fast."""
    anchors = [_plain(anchor) for anchor in node.get("anchors", ())]
    fields = {key: _plain(value) for key, value in node.items() if key != "anchors"}
    if None in anchors or None in fields.values():
        return _yaml({"nodes": [node]}).removeprefix("nodes:\n")
    lines = [f"{key}: {said}" for key, said in fields.items()]
    if anchors:
        lines += ["anchors:", *(f"  - {said}" for said in anchors)]
    return "  - " + "\n    ".join(lines) + "\n"


def _plain(value: object) -> str | None:
    """A level, an id that looks like a number, or bare words as YAML; None for all else."""
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str) or not value.isprintable():
        return None
    if _NUMBERED.fullmatch(value):
        return f"'{value}'"
    return value if _LETTER.match(value) and not _CARE.search(value) else None


@cache
def _dumper() -> type[yaml.SafeDumper]:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Lists are indented below their key; text of several lines is a block."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))

    Dumper.add_representer(str, text)
    # What YAML 1.2 reads as a number, but PyYAML's YAML 1.1 would write as bare text.
    Dumper.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0o[0-7]+|0x[0-9a-fA-F]+"),
        list("-+.0123456789"),
    )
    return Dumper


def _style(text: str) -> str | None:
    if _OWN_BREAKS.search(text):
        return '"'
    if "\n" not in text:
        return None
    return "|" if _PLAIN_LINES.fullmatch(text) and not _SPACE_AT_END.search(text) else '"'
