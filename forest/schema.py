"""The graph schema, declared once: labels, relationship types, their properties, constraints.

Properties come from the fields of the models in `forest.model`, with their descriptions; what is
added here is what only the graph has. ``python -m forest.schema`` prints docs/graph-schema.md.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from forest.model import Anchor, AnchorLink, Axis, Thought, Tree

SCHEMA_VERSION = 2
"""Version of the graph schema. A database says its own in ``(:ForestMeta {version})``."""
META_LABEL = "ForestMeta"
OLDEST = (5, 26)
"""The oldest Neo4j that is supported: the long-term support line."""

Written = Literal["yes", "no", "derived"]
"""Whether an author must write a property, may, or may leave it to the library to derive."""


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a node or a relationship; ``type`` is a type of Cypher."""

    name: str
    type: str
    written: Written
    description: str


@dataclass(frozen=True, slots=True)
class NodeType:
    """A label, the property that is its unique key, and all properties."""

    label: str
    key: str
    description: str
    properties: tuple[Property, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its properties."""
        return tuple(p.name for p in self.properties)


@dataclass(frozen=True, slots=True)
class RelationshipType:
    """A relationship type with the labels at its two ends."""

    name: str
    start: str
    end: str
    description: str
    properties: tuple[Property, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its properties."""
        return tuple(p.name for p in self.properties)


# --- from the models ------------------------------------------------------------------------------

_CYPHER = {str: "STRING", int: "INTEGER", float: "FLOAT", datetime: "ZONED DATETIME"}


def _cypher_type(annotation: Any) -> str:
    """The Cypher type that a field is stored as."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _cypher_type(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return _cypher_type(next(a for a in get_args(annotation) if a is not type(None)))
    if origin is Literal:
        return "STRING"
    return _CYPHER.get(annotation, "STRING (JSON)")


def _fields(model: type) -> Mapping[str, FieldInfo]:
    found: Mapping[str, FieldInfo] = model.__pydantic_fields__  # type: ignore[attr-defined]
    return found


def _from(
    model: type,
    *,
    leave_out: tuple[str, ...] = (),
    required: tuple[str, ...] = (),
    derived: tuple[str, ...] = (),
    notes: Mapping[str, str] = types.MappingProxyType({}),
) -> tuple[Property, ...]:
    """The fields of a model as properties. ``notes`` adds to the descriptions of some."""

    def written(name: str) -> Written:
        return "yes" if name in required else "derived" if name in derived else "no"

    return tuple(
        Property(
            name,
            _cypher_type(field.annotation),
            written(name),
            "; ".join(filter(None, (field.description, notes.get(name)))),
        )
        for name, field in _fields(model).items()
        if name not in leave_out
    )


_POSITION = Property(
    "position",
    "INTEGER",
    "derived",
    "place, from 0; where it is missing, the order of Neo4j's ids: that of creation, unless Neo4j "
    "uses ids again of what was deleted",
)
_STAMP = Property(
    "stamp",
    "INTEGER",
    "derived",
    "random, new with each write of the library: by it a reader sees that a tree changed meanwhile",
)

# --- the declaration ------------------------------------------------------------------------------

TREE = NodeType(
    "Tree",
    "id",
    "A tree of thoughts: its name and where it came from. Complete with a title and a ROOT.",
    (
        *_from(
            Tree,
            leave_out=("axes", "thoughts"),
            required=("title",),
            derived=("id", "lang"),
            notes={"created_at": "when it was first stored", "updated_at": "when it last changed"},
        ),
        _STAMP,
    ),
)
THOUGHT = NodeType(
    "Thought",
    "id",
    "One step of reasoning.",
    _from(
        Thought,
        leave_out=("anchors",),
        required=("text",),
        derived=("level", "id"),
        notes={"level": "written for queries, never read", "id": "made of its tree and its text"},
    ),
)
ANCHOR = NodeType(
    "Anchor",
    "id",
    "A phrase that thoughts of different trees share. It exists as long as a thought carries it.",
    _from(
        Anchor,
        leave_out=("trees", "thoughts"),
        required=("phrase",),
        derived=("id", "lang"),
        notes={"lang": "written for queries, never read"},
    ),
)
AXIS = NodeType(
    "Axis",
    "id",
    "A meaning axis that trees are bound to.",
    _from(Axis, required=("name",), derived=("id",)),
)
ROOT = RelationshipType("ROOT", "Tree", "Thought", "The one thought a tree begins with.")
LEADS_TO = RelationshipType(
    "LEADS_TO",
    "Thought",
    "Thought",
    "A step. A thought has one before it at most; position is the place among siblings.",
    (_POSITION,),
)
ANCHORED_BY = RelationshipType(
    "ANCHORED_BY",
    "Thought",
    "Anchor",
    "That a thought carries an anchor. phrase and kind stand here only where they differ from the "
    "anchor's, origin only where it is not authored.",
    (*_from(AnchorLink, leave_out=("anchor",)), _POSITION),
)
ALIGNS_WITH = RelationshipType(
    "ALIGNS_WITH",
    "Tree",
    "Axis",
    "That a tree is bound to a meaning axis. A tree's axes come by falling weight, then by name; "
    "position says the same for queries, and is read only to tell whose spelling of a name counts.",
    (
        Property(
            "weight",
            "FLOAT",
            "no",
            "above 0; a tree's weights are read scaled to sum 1, without any they are equal",
        ),
        _POSITION,
    ),
)


def _text(name: str, description: str, written: Written = "no") -> Property:
    return Property(name, "STRING", written, description)


_SCORE = Property("score", "FLOAT", "no", "certainty, 0 to 1")

FORMULA = NodeType(
    "Formula",
    "code",
    "A scene compressed into one code: its terms, or the formulas that it is made of.",
    (
        _text("code", "Δ and two digits; Λ or Ω and a number; or one of the glyphs", "yes"),
        _text("operator", "the word before the brackets: порог in порог(страх · пустота)"),
        _text("joined", "what stands between its terms: +, ·, → or a comma; + where missing"),
        _text("parts_joined", "the same of its parts"),
        _text("label", "the word behind the brackets: гармония in [Δ01, Δ02]_гармония"),
        _text("name", "its title, written in « »"),
        _text("scene", "the scene behind the last =; each on a line of its own"),
        _text("phrases", "what is said from inside it, behind an arrow; each on its line"),
        _text("source", "the formula as its author wrote it"),
        _text("origin", "where it was written: a file, a model; each on a line of its own"),
        _text("imported", "what its files said when last imported, to compare them with"),
        _text("imported_scenes", "the same of its scenes: id and file, each on a line of its own"),
    ),
)
SCENE = NodeType(
    "Scene",
    "id",
    "A text that says a formula in one register.",
    (
        _text("id", "made of its formula, text, register and language", "derived"),
        _text("text", "the scene, verbatim", "yes"),
        _text("register", "logical, poetic, bodily, emoji, … free"),
        _text("lang", "BCP 47"),
        _text("origin", "authored, a file, or the mask that said it"),
    ),
)
DECISION = NodeType(
    "Decision",
    "no",
    "What an author decided about anchors. They are never changed: the last word on a pair holds.",
    (
        _text("no", "their order, as six digits", "yes"),
        _text("at", "when, ISO 8601 in UTC", "yes"),
        _text("action", "merge, refuse, rename, mark, part or undo", "yes"),
        _text("anchor", "id of the anchor it is about"),
        _text(
            "into",
            "id of the anchor that it was merged with, or not; or of the thought that it marks, "
            "or not; or of the tree or thought in which it means another one",
        ),
        _text("phrase", "the new name; the phrase as it stands in the thought; the anchor meant"),
        _text("rule", "what proposed it: author, lemma, near, meaning"),
        _SCORE,
        _text("why", "in the author's words"),
        Property(
            "begun", "BOOLEAN", "no", "true until the thoughts that it is about say what it says"
        ),
    ),
)
PROPOSAL = NodeType(
    "Proposal",
    "id",
    "What discovery found and nobody decided yet. It changes nothing until it is accepted.",
    (
        _text("id", "made of what it proposes", "yes"),
        _text("what", "mark: a thought carries a phrase; merge: two anchors are one", "yes"),
        _text("phrase", "the phrase to mark, as it stands there"),
        _text("anchor", "id of the anchor"),
        _text("into", "id of the anchor to merge it with"),
        _text("thought", "id of the thought"),
        _text("other", "id of a thought in another tree that says it too"),
        Property(
            "carried", "BOOLEAN", "no", "true where thoughts carried the anchor when it was found"
        ),
        _text("rule", "what found it: exact, lemma, near, meaning", "yes"),
        _SCORE,
    ),
)
TERM = RelationshipType(
    "TERM",
    "Formula",
    "Anchor",
    "That a formula is made of what an anchor means.",
    (
        _text("phrase", "the term as written"),
        _text("role", "object, tension, transition, archetype, medium, emotional edge, … free"),
        _POSITION,
    ),
)
COMPOSED_OF = RelationshipType(
    "COMPOSED_OF",
    "Formula",
    "Formula",
    "That a formula is made of another one.",
    (_POSITION,),
)
VOICES = RelationshipType(
    "VOICES", "Scene", "Formula", "That a scene says a formula.", (_POSITION,)
)

BESIDE = (FORMULA, SCENE, DECISION, PROPOSAL)
"""Nodes beside the trees, which `forest.nodes` keeps."""
TRACES: Mapping[str, frozenset[str]] = types.MappingProxyType(
    {
        FORMULA.label: frozenset({"origin", "imported", "imported_scenes"}),
        SCENE.label: frozenset({"origin"}),
        DECISION.label: frozenset({"at", "begun"}),
    }
)
"""What says where such a node came from, or when: no part of what it says, as with a tree."""
NAMING_FILES: Mapping[str, tuple[str, ...]] = types.MappingProxyType(
    {FORMULA.label: ("origin", "imported_scenes"), SCENE.label: ("origin",)}
)
"""Which of it may name files, each at the end of a line, behind a tab or alone."""
NODES = (TREE, THOUGHT, ANCHOR, AXIS, *BESIDE)
RELATIONSHIPS = (ROOT, LEADS_TO, ANCHORED_BY, ALIGNS_WITH, TERM, COMPOSED_OF, VOICES)


# --- what is made of it ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """A constraint or an index of Neo4j, and the statement that creates it if it is not there."""

    name: str
    label: str
    key: str
    statement: str


def _unique(node: NodeType) -> Rule:
    name = f"forest_{node.label.lower()}_{node.key}"
    return Rule(
        name,
        node.label,
        node.key,
        f"CREATE CONSTRAINT {name} IF NOT EXISTS FOR (n:{node.label}) "
        f"REQUIRE n.{node.key} IS UNIQUE",
    )


CONSTRAINTS = tuple(_unique(node) for node in NODES)
"""The uniqueness of the keys; in Neo4j each brings the index that the key is looked up by."""
INDEXES = (
    Rule(
        "forest_anchor_phrase",
        "Anchor",
        "phrase",
        "CREATE INDEX forest_anchor_phrase IF NOT EXISTS FOR (n:Anchor) ON (n.phrase)",
    ),
)


def neo4j_statements() -> list[str]:
    """The statements that create all constraints and indexes; running them again is harmless."""
    return [rule.statement for rule in CONSTRAINTS + INDEXES]


_HEAD = """# The graph schema

<!-- Made from forest/schema.py: `python -m forest.schema > docs/graph-schema.md` -->

Version {version}. The graph is the truth, and an author may write it with Cypher: a tree needs no
more than this.

```cypher
CREATE (t:Tree {{title: 'Justice'}})-[:ROOT]->(r:Thought {{text: 'Justice is a fit.'}}),
       (r)-[:LEADS_TO]->(s:Thought {{text: 'But norms differ.'}}),
       (s)-[:ANCHORED_BY]->(:Anchor {{phrase: 'cause → effect'}}),
       (t)-[:ALIGNS_WITH {{weight: 1.0}}]->(:Axis {{name: 'causality'}})
```

Written: **yes** must be written by an author, *no* may be left out, *derived* is worked out where
it is missing. Reading goes by the structure and never needs a derived property;
`forest check --fix` writes those that are missing. Properties and relationships that are not in
this list are left alone.
"""


def schema_markdown() -> str:
    """docs/graph-schema.md."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD.format(version=SCHEMA_VERSION)
    yield "## Nodes\n"
    for node in NODES:
        yield from _section(f"`:{node.label}`", node.description, node.properties, node.key)
    yield "## Relationships\n"
    for link in RELATIONSHIPS:
        title = f"`(:{link.start})-[:{link.name}]->(:{link.end})`"
        yield from _section(title, link.description, link.properties)
    yield "## Constraints and indexes\n"
    yield "Created by the library when it opens a database.\n"
    yield "```cypher"
    yield from (f"{statement};" for statement in neo4j_statements())
    yield "```\n"
    yield (
        f"One node `(:{META_LABEL} {{version: {SCHEMA_VERSION}}})` tells the version of the "
        "schema; an older library refuses a newer one. While a forest is copied into the database, "
        "it says so in `copy` and `copy_of`.\n"
    )


def _section(
    title: str, description: str, properties: tuple[Property, ...], key: str | None = None
) -> Iterator[str]:
    yield f"### {title}\n"
    yield f"{description}\n"
    if not properties:
        return
    yield "| property | type | written | what it is |"
    yield "|---|---|---|---|"
    for p in properties:
        unique = " (unique)" if p.name == key else ""
        written = {"yes": "**yes**"}.get(p.written, p.written)
        yield f"| `{p.name}` | {p.type} | {written} | {_cell(p.description)}{unique} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    sys.stdout.write(schema_markdown())
