"""The dataset card: README.md of a corpus, for people and for `datasets.load_dataset`."""

from __future__ import annotations

import yaml

from exporters.files import folder_of
from exporters.manifest import Manifest, ProbeReport, SplitReport
from exporters.records import (
    DEFAULT,
    FIELDS,
    KINDS,
    META_FIELDS,
    columns_of,
    features,
    has_gap,
)


def card(manifest: Manifest) -> str:
    """The text of README.md."""
    parts = _header, _about, _counts, _fields, _again
    return "\n".join(part(manifest) for part in parts)


def _header(manifest: Manifest) -> str:
    corpus = manifest.recipe.corpus
    configs: dict[str, list[str]] = {}
    for file in manifest.files:
        configs.setdefault(file.config, []).append(file.split)
    languages = {lang for report in manifest.splits.values() for lang in report.languages}
    header = {
        "license": corpus.license,
        **({"language": sorted(languages - {"und"})} if languages - {"und"} else {}),
        "task_categories": ["text-generation"],
        "tags": ["reasoning", "reasoning-forest"],
        "configs": [
            {
                "config_name": config,
                **({"default": True} if config == next(iter(configs)) else {}),
                "data_files": [
                    {"split": split, "path": f"{folder_of(config)}/{split}-*.{corpus.file}"}
                    for split in dict.fromkeys(splits)
                ],
            }
            for config, splits in configs.items()
        ],
        "dataset_info": [
            # Loaders know a local folder they have seen by this header: it must change with the
            # corpus, or they would go on to serve the one before.
            {
                "description": f"forest {manifest.forest_revision[:16]}, recipe "
                f"{manifest.recipe_hash[:16]}, seed {manifest.seed}, {manifest.records} records",
                "config_name": config,
                "features": features(config, corpus.format),
            }
            for config in configs
        ],
    }
    told = yaml.safe_dump(header, allow_unicode=True, sort_keys=False)
    return f"---\n{told}---\n"


def _about(manifest: Manifest) -> str:
    kinds = "\n".join(f"- `{kind}`: {KINDS[kind].about}." for kind in _written(manifest))
    return f"""# A stitched corpus of reasoning trees

{manifest.records} records made from a forest of reasoning trees. The trees are linked by anchors:
phrases, links and tags that thoughts of several trees share. Each thought's words are verbatim.

{kinds}

No record crosses from one split to another, and trees that say nearly the same are in the same
split. No record of the validation split says what one of the training split says, nor, of one
tree, only thoughts and steps that trees of the training split hold; single thoughts may recur. No
record of the training split joins the two trees of a probe at its anchor.
"""


def _counts(manifest: Manifest) -> str:
    names = list(manifest.splits)
    head = f"| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}\n"
    kinds = _written(manifest)
    columns = [_column(report, kinds) for report in manifest.splits.values()]
    rows = (f"| {row} | {' | '.join(c[row] for c in columns)} |" for row in columns[0])
    return (
        "## Counts and coverage\n\n"
        + head
        + "\n".join(rows)
        + "\n"
        + _united(manifest)
        + _left_out(manifest)
    )


def _written(manifest: Manifest) -> list[str]:
    """The kinds of which there are records."""
    return [k for k in KINDS if any(k in report.records for report in manifest.splits.values())]


def _united(manifest: Manifest) -> str:
    united = manifest.united_anchors
    if not united:
        return ""
    return (
        f"\nAnchors that count as one with another, by decision or as forms of a word: {united}."
        "\nThoughts keep the phrase as it was written.\n"
    )


def _left_out(manifest: Manifest) -> str:
    listed = manifest.left_out
    reasons = "; ".join(f"{reason}: {count}" for reason, count in listed.thoughts.items())
    return (
        f"\nThoughts in no training record: {reasons or 'none'}. `{listed.path}` lists them."
        f"\nHeld-out stitches: {manifest.probes.held_out}"
        f"{_probes(manifest.probes)}\n"
    )


def _probes(report: ProbeReport) -> str:
    if report.path:
        unsaid = (
            f" ({report.unsaid} of them about thoughts that no training record says)"
            if report.unsaid
            else ""
        )
        return (
            f", of which `{report.path}` asks for {report.probes}{unsaid}; it is no training text."
        )
    return f"; no probes: {', '.join(report.left_out)}."


def _column(report: SplitReport, kinds: list[str]) -> dict[str, str]:
    jumps = report.jumps
    return {
        "trees": f"{report.trees}",
        "trees by language": ", ".join(
            f"{lang} {count}" for lang, count in sorted(report.languages.items())
        ),
        "thoughts": f"{report.thoughts}",
        "thoughts in at least one record": f"{report.thoughts_covered}",
        "steps from a thought to the next": f"{report.steps}",
        "steps in at least one record": f"{report.steps_covered}",
        "anchors": f"{report.anchors}",
        "anchors shared by two or more trees": f"{report.shared_anchors}",
        "occurrences of shared anchors": f"{jumps.occurrences}",
        "occurrences as source of a jump, once / more often": f"{jumps.source_once} / "
        f"{jumps.source_more}",
        "occurrences as target of a jump, once / more often": f"{jumps.target_once} / "
        f"{jumps.target_more}",
        "occurrences in no jump": f"{sum(jumps.left_out.values())}",
        **{f"records: {kind}": f"{report.records.get(kind, 0)}" for kind in kinds},
        "records left out": f"{sum(report.records_left_out.values())}",
        "characters of the trees": f"{report.characters}",
        "characters of the records": f"{sum(report.characters_out.values())}",
        **(
            {
                "tokens of the trees": f"{report.tokens}",
                "tokens of the records": f"{sum(report.tokens_out.values())}",
            }
            if report.tokens
            else {}
        ),
        "redundancy": f"{report.redundancy:.2f}",
        "thoughts longer than the window": f"{report.long_thoughts}",
        "records longer than the window": f"{sum(report.long_records.values())}",
    }


def _fields(manifest: Manifest) -> str:
    format = manifest.recipe.corpus.format
    columns = {name: FIELDS[name] for name in columns_of(DEFAULT, format)}
    gap = set() if has_gap(DEFAULT, format) else {"meta.gap"}
    meta = {name: about for name, about in META_FIELDS.items() if name not in gap}
    lines = "\n".join(f"- `{name}`: {about}." for name, about in (columns | meta).items())
    return f"""## Fields

{lines}

Preferences and stepwise paths, where there are any, are configurations of their own. Where a record
has several texts, each span says the column too, and the item: which text of a list, from 0.
"""


def _again(manifest: Manifest) -> str:
    tokenizer = manifest.recipe.tokenizer
    beside = f"; copy the tokenizer `{tokenizer.name}` beside it first" if tokenizer else ""
    return f"""## How to repeat it

The same forest, recipe and seed give the same bytes. The manifest holds all settings{beside}:

```
forest export again --recipe manifest.json
```

- forest revision: `{manifest.forest_revision}`
- recipe: under `recipe` in manifest.json; hash `{manifest.recipe_hash}`
- seed: {manifest.seed}

`manifest.json` holds these, all settings, the coverage, and size and SHA-256 of each other file.
`tokens.json` lists the codes and glyphs of formulas that a tokenizer should keep whole.
"""
