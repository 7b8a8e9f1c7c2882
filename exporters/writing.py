"""Records on their way into files: written or kept to be sorted, counted, looked over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import numpy as np

from exporters.files import SplitWriter
from exporters.folder import LEFT_OUT, Listing
from exporters.kinds import Plan
from exporters.leaks import Leaks
from exporters.lines import Block, Finishing, Line
from exporters.manifest import DataFile, JumpCoverage, LeftOut, SplitReport
from exporters.records import KINDS, OF_ONE_TREE
from exporters.reuse import Made
from exporters.scratch import Scratch
from exporters.splits import TRAIN, VALIDATION
from exporters.texts import Texts, step_keys
from exporters.walks import THINNED

BUDGET, SAME = "the budget", "the training split says the same"
"""Reasons to be in no record; the second of the validation split."""


class Writing(ExitStack):
    """The records of one export on their way into files, counted."""

    def __init__(self, corpus: Path, room: Path, plan: Plan, scratch: Scratch) -> None:
        super().__init__()
        self._corpus, self._plan, self._scratch = corpus, plan, scratch
        self._recipe = plan.recipe
        self._writers: dict[tuple[str, str], SplitWriter] = {}
        self._records: Counter[tuple[str, str]] = Counter()
        self._characters: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._texts, self._held = Texts(room), Texts(room, "held")
        self.finishing = Finishing(plan)
        self.leaks = Leaks(room)
        self.counted: dict[str, SplitReport] = {}
        """What is counted so far, by split."""

    def hold(self, keys: bytes) -> None:
        """Note the `tree_keys` of a tree of the training split."""
        self._held.add_packed(keys)

    def all(self, lines: Iterable[Line | Block], unit: Made | None = None) -> None:
        """As `take`, for many."""
        for line in lines:
            self.take(line, unit)

    def take(self, made: Line | Block, unit: Made | None = None) -> None:
        """Write records, or keep one to be sorted; ``unit`` is what they are of, if it is kept."""
        if isinstance(made, Block):
            self.write(TRAIN, made, unit)
            if unit:
                unit.block.extend(made)
        elif self.finishing.sorts or made.split == VALIDATION:  # written when training is
            self._scratch.keep(made)
            if unit:
                unit.waiting.append(made)
            if self._recipe.budget:
                self._scratch.cut_silent(made.thoughts)
        else:
            self._write_line(made)

    def _write_line(self, line: Line) -> None:
        if self.finishing.loses(line.split):
            self._scratch.remove_silent(line.thoughts)
        if line.stitched:
            self._scratch.add_walked(line.split, line.stitched)
        self.write(line.split, self.finishing.one(line))

    def write(self, split: str, block: Block, unit: Made | None = None) -> None:
        """Write lines and count them; ``unit`` is what they are of, if it is kept."""
        self._count(split, block)
        if self.finishing.splits and split == TRAIN:
            self._texts.add(block.texts)
        for config, lines in block.lines.items():
            told = b"".join(lines)
            writer = self._writer(config, split)
            if unit:
                unit.add(config, told, writer.place)
            writer.write_all(told, block.lengths[config])
            self.leaks.note(config, split, b"".join(block.notes[config]))

    def _count(self, split: str, block: Block) -> None:
        report = self.counted[split]
        for kind, (records, characters, length, long) in block.kinds.items():
            at = split, kind
            self._records[at] += records
            self._characters[at] += characters
            if self._plan.measure is not len:
                self._tokens[at] += length
            if long:
                report.long_records[kind] = report.long_records.get(kind, 0) + long
        for jumps in block.walks:
            report.walks_by_jumps[jumps] = report.walks_by_jumps.get(jumps, 0) + 1

    def _writer(self, config: str, split: str) -> SplitWriter:
        of = config, split
        if of not in self._writers:
            writer = SplitWriter(self._corpus, *of, self._recipe.corpus)
            self._writers[of] = self.enter_context(writer)
        return self._writers[of]

    def finish(self) -> None:
        """Write the records that were kept, training first, and count what is in no record.

        A validation record that says what a training record says is left out: it would test what
        was learnt by heart. So is one of one tree of which trees of the training split hold each
        thought and each step, word for word.
        """
        if self.finishing.sorts:
            for line in self._kept(TRAIN):
                self._write_line(line)
        if VALIDATION in self.counted:
            said = self._texts.among(line.text for line in self._kept(VALIDATION))
            held = self._held.among(chain.from_iterable(map(self._keys, self._kept(VALIDATION))))
            left_out = self.counted[VALIDATION].records_left_out
            for line in self._kept(VALIDATION):
                keys = self._keys(line)
                if line.text in said or (keys and held.issuperset(keys)):
                    left_out[SAME] = left_out.get(SAME, 0) + 1
                    self._scratch.cut_silent(line.thoughts)
                else:
                    self._write_line(line)
        for split, report in self.counted.items():
            report.thoughts_covered = report.thoughts
            if self.finishing.loses(split):
                report.thoughts_covered, report.steps_covered = self._scratch.said(split)
            if self.finishing.cuts(split):
                self._count_jumps(report.jumps, split)

    def _keys(self, line: Line) -> list[int]:
        """Keys of the thoughts and steps of a record of one tree; of others none."""
        if line.kind not in OF_ONE_TREE:
            return []
        found = self._scratch.words(line.thoughts)
        steps = [(found[above][1], key) for above, key in found.values() if above in found]
        above, below = np.array(steps, np.uint64).reshape(-1, 2).T
        return [*(key for _, key in found.values()), *step_keys(above, below).tolist()]

    def _count_jumps(self, coverage: JumpCoverage, split: str) -> None:
        """Count what the walks that were written cover, not those that were made."""
        jumped = coverage.occurrences - sum(coverage.left_out.values())
        sources, targets, left = self._scratch.walked(split)
        coverage.source_once, coverage.source_more = sources
        coverage.target_once, coverage.target_more = targets
        if jumped > left:
            coverage.left_out[BUDGET if split == TRAIN else SAME] = jumped - left

    def _kept(self, split: str) -> Iterator[Line]:
        """The records of a split that were kept."""
        budget = self._recipe.budget if split == TRAIN else 0
        return self._scratch.kept(split, budget, self._recipe.order == "shuffled")

    def left_out(self) -> LeftOut:
        """List what is in no training record, and why: whole trees, or thoughts."""
        trees, thoughts = Counter[str](), Counter[str]()
        for split, report in self.counted.items():
            cut = BUDGET if split == TRAIN else SAME
            for _, _, was_cut in self._scratch.silent(split):
                reason = cut if was_cut else THINNED
                report.thoughts_left_out[reason] = report.thoughts_left_out.get(reason, 0) + 1
        if outside := self.counted.get(VALIDATION):
            trees[VALIDATION], thoughts[VALIDATION] = outside.trees, outside.thoughts
        thoughts.update(self.counted[TRAIN].thoughts_left_out)
        written = Listing(self._corpus / LEFT_OUT)
        with written:
            for tree in self._scratch.trees_of(VALIDATION):
                written.add({"tree": tree, "reason": VALIDATION})
            for tree, thought, was_cut in self._scratch.silent(TRAIN):
                reason = BUDGET if was_cut else THINNED
                written.add({"tree": tree, "thought": thought, "reason": reason})
        return LeftOut(
            path=LEFT_OUT,
            trees=dict(trees),
            thoughts=dict(thoughts),
            bytes=written.bytes,
            sha256=written.sha256,
        )

    # --- what was written ----------------------------------------------------------------------

    def reports(self) -> dict[str, SplitReport]:
        """What was counted, by split, training first."""
        for split, report in self.counted.items():
            report.records = _of(split, self._records)
            report.characters_out = _of(split, self._characters)
            report.tokens_out = _of(split, self._tokens)
            out = sum(report.characters_out.values())
            report.redundancy = round(out / report.characters, 4)
        return {s: self.counted[s] for s in (TRAIN, VALIDATION) if s in self.counted}

    def files(self) -> list[DataFile]:
        """The files that were written; complete when the block has ended."""
        return [file for at in sorted(self._writers) for file in self._writers[at].files]


def _of(split: str, counts: Counter[tuple[str, str]]) -> dict[str, int]:
    return {kind: counts[split, kind] for kind in KINDS if (split, kind) in counts}
