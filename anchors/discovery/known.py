"""What authors said already: which anchors there are, what is marked, what is refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from anchors.decisions import MARK as MARKED
from anchors.decisions import Decision
from anchors.forms import form_key
from anchors.homonyms import Meant
from anchors.proposals import MARK, Proposal
from anchors.registry import Registry
from forest.errors import ForestError
from forest.fields import clean_name
from forest.model import Anchor, anchor_id
from forest.phrases import phrase_key


class Known:
    """The registry, asked the way discovery asks."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._by_lemma: dict[str, list[str]] = defaultdict(list)
        self._parted: dict[str, set[str]] = defaultdict(set)
        self._group: dict[str, list[str]] = defaultdict(list)
        self._meant = Meant(registry.meanings)
        self._other: dict[str, str] = {}
        """Anchors that authors gave another id than their spelling has, with the form of that."""
        for anchor in registry.anchors.values():
            self._group[registry.head(anchor.id)].append(anchor.id)
            if anchor.kind == "phrase":
                self._by_lemma[form_key(anchor.phrase)].append(anchor.id)
                if anchor_id(anchor.phrase) != anchor.id:
                    self._other[anchor.id] = form_key(anchor.phrase)
        for meaning in registry.meanings:
            self._parted[registry.head(meaning.means)].add(meaning.anchor)

    def anchor_of(self, phrase: str) -> str | None:
        """The anchor that a phrase belongs to: one with the same words, else its own new one.

        Of those that say these words, in whichever forms, the plain word is meant, whose id they
        are; where there is none, or several, only an author can say which: None.
        """
        exact, form = anchor_id(phrase), form_key(phrase)
        if exact in self.registry.anchors:
            return exact
        there = self._by_lemma.get(form, [exact])
        plain = [id_ for id_ in there if form_key(id_) == form]
        heads = dict.fromkeys(self.registry.head(id_) for id_ in plain or there)
        return next(iter(heads)) if len(heads) == 1 else None

    def not_there(self, anchors: Iterable[Anchor]) -> list[Anchor]:
        """Those that no thought carries in any form, one for each."""
        new: dict[str, Anchor] = {}
        for anchor in anchors:
            if (form := form_key(anchor.phrase)) not in self._by_lemma:
                new.setdefault(form, anchor)
        return list(new.values())

    def meant(self, anchor: str, tree: str, thought: str) -> str:
        """The anchor that is meant in a place where this one stands, as authors said."""
        return self._meant.ways(anchor, tree, thought)[0] if self.registry.meanings else anchor

    def is_another(self, carried: Sequence[str], anchor: str) -> str | None:
        """Which anchor a thought carries that is spelled as this one, and is another."""
        there = [one for one in carried if one in self._other]
        if not there or self.is_marked(carried, anchor):
            return None
        form = form_key(anchor)
        return next((one for one in there if self._other[one] == form), None)

    def are_two(self, one: str, other: str) -> bool:
        """Whether authors told two anchors apart: spelled alike, or parted from one word."""
        if not self._parted[self.registry.head(one)].isdisjoint(
            self._parted[self.registry.head(other)]
        ):
            return True
        there = self.registry.anchors
        return form_key(there[one].phrase) == form_key(there[other].phrase)

    def is_marked(self, carried: Iterable[str], anchor: str) -> bool:
        """Whether one of the anchors that a thought carries is this one."""
        head = self.registry.head(anchor)
        return any(self.registry.head(one) == head for one in carried)

    def is_said(self, carried: Sequence[str], phrase: str) -> bool:
        """Whether a thought carries an anchor of this phrase already, in whatever form.

        Also one that was refused as one with others of this phrase: then its author has chosen.
        """
        if not carried:
            return False
        form, there = form_key(phrase), self.registry.anchors
        own = self.registry.head(anchor_id(phrase))
        return any(
            self.registry.head(one) == own or (one in there and form_key(there[one].phrase) == form)
            for one in carried
        )

    def refused_mark(self, thought: str, anchor: str) -> bool:
        """Whether somebody refused to mark a thought with this anchor or one that is the same."""
        return any(self.registry.refused(one, thought) for one in self.variants(anchor))

    def refused_merge(self, one: str, other: str) -> bool:
        """Whether somebody refused what would join these two."""
        return any(
            self.registry.refused(a, b) for a in self.variants(one) for b in self.variants(other)
        )

    def leaves_open(self, proposal: Proposal, since: Iterable[Decision]) -> bool:
        """Whether decisions leave a proposal to be decided.

        :param since: those made after the thoughts were read, so marks that none of them shows.
        """
        one, other = proposal.against
        if proposal.what == MARK:
            marked = [d.anchor for d in since if d.action == MARKED and d.into == other]
            return not (self.is_marked(marked, one) or self.refused_mark(other, one))
        there = self.registry.anchors
        return not (
            self.registry.head(one) == self.registry.head(other)
            or self.refused_merge(one, other)
            or (one in there and other in there and self.are_two(one, other))
        )

    def variants(self, anchor: str) -> list[str]:
        """All anchors that are one with this one."""
        return self._group.get(self.registry.head(anchor), [anchor])


def name_of(text: str) -> str | None:
    """What stands in a text as the phrase of an anchor; None if it cannot be one."""
    try:
        name = clean_name(text)
    except (ValueError, ForestError):
        return None
    return name if phrase_key(name) else None
