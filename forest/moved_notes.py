"""Which notes of an import are files that the forest knows by another path.

A note that says what another file said is that file, moved or renamed: notes may have changed
places, or each have taken the name of the next one. A note that still says one of its trees stays
where it is. So does one that was edited, as long as it has anything in common with what it said,
more than two texts have by chance; unless it says most of what another file said.

Who was moved and edited at once says what no file said; it is known by most of its texts, as long
as they are its own: what other notes say as well, as of one template, tells nobody apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import PurePosixPath

from forest.likeness import ALIKE, BY_CHANCE

Hashes = Mapping[str, Collection[str]]
"""By file, what each of its trees says."""
Texts = set[str]
"""What a note says, in `forest.likeness.shingles`."""
LITTLE = 5
"""A file that said less of its own than so many times three words is known by all that it said."""


def moved(
    now: Hashes, then: Hashes, stays: Callable[[str], bool], keeps_its_place: Callable[[str], bool]
) -> dict[str, str]:
    """The notes that are other files, each with the file that it was; itself where it stays.

    :param now: what notes say whose file does not say any of that in ``then``.
    :param then: what these files said, and files that are gone.
    :param stays: whether a note of both has much of what its file said.
    :param keeps_its_place: whether it has anything of it, and is not another file.
    """
    held: set[str] = set()
    while True:
        homes = _matched(
            {file: said for file, said in now.items() if file not in held},
            {file: said for file, said in then.items() if file not in held},
        )
        wanted = set(homes.values())
        # An edited note stays beside a copy of what it was; nor does one that is edited back to
        # what another one was become that one, where nobody wants its place.
        open_ = (now.keys() & then.keys()) - held
        stay = {f for f in open_ & homes.keys() - wanted if stays(f)}
        stay |= {f for f in open_ & wanted - homes.keys() if keeps_its_place(f)}
        if not stay:
            return homes | {file: file for file in held}
        held |= stay


def _matched(now: Hashes, then: Hashes) -> dict[str, str]:
    """Each note with the file of which it says most; each file is found once."""
    files: dict[str, list[str]] = {}
    for file, said in then.items():
        for one in said:
            files.setdefault(one, []).append(file)
    names = {name_of(_file_of(place)) for place in then}
    homes: dict[str, str] = {}
    taken: set[str] = set()
    # of notes alike, the one that kept its name is that file
    for note in sorted(now, key=lambda n: name_of(n) not in names):
        common = Counter(f for one in now[note] for f in files.get(one, ()) if f not in taken)
        if common:
            homes[note] = max(
                common, key=lambda f: (common[f], name_of(_file_of(f)) == name_of(note))
            )
            taken.add(homes[note])
    return homes


def resembling(
    notes: Iterable[str],
    then: Mapping[str, Texts],
    texts_of: Callable[[str], Texts],
    dull: Callable[[Texts, int], Texts],
    asks_the_same: Callable[[str], bool],
) -> dict[str, str]:
    """The notes that say most of what another file said, each with that file.

    One that says most of what its own file said, or hardly anything else, stays; or that asks one
    of its questions; or that says anything of it, and not most of what another file said.

    :param notes: those that say nothing of what any file said, as a whole.
    :param then: files and what they said, but for those that are known by it.
    :param texts_of: all that a note says.
    :param dull: which of some texts tell nobody apart, as so many notes say them.
    :param asks_the_same: whether a note still asks a question of its file.
    """
    notes = list(notes)
    now, close, newly = _close(notes, then, texts_of)
    if not close:
        return {}
    at_stake = {*now, *(place for _, place in close)}
    own = [note for note in notes if note in at_stake and note in then]
    now |= {note: texts_of(note) for note in own if note not in now}
    said = set().union(*now.values(), *(then[place] for place in {*own, *(p for _, p in close)}))
    # What two notes say may be an edited note and an edited copy: there the first one stays.
    by_one, by_two, by_three = (dull(said, least) for least in (1, 2, 3))

    def much(note: str, place: str) -> float:
        by_others = by_two | (by_one - newly)  # where parts of it are notes now, none is all of it
        return _share(*_but_for(by_others, now[note], then[place]))

    elsewhere = {note for note, place in close if much(note, place) > ALIKE}

    def is_at_home(note: str) -> bool:
        if asks_the_same(note) or stays(now[note], then[note], by_three):
            return True
        if note in elsewhere:
            return False
        # it said nothing of its own, or says some of it
        return not then[note] - by_two or says_some(now[note], then[note], by_three)

    homes = {note: note for note in own if is_at_home(note)}
    taken = set(homes)
    ranked = sorted(
        (
            -_share(now[n], then[at]),
            len(now[n] ^ then[at]),
            name_of(_file_of(at)) != name_of(n),
            n,
            at,
        )
        for n, at in close
        if much(n, at) > ALIKE
    )
    for _, _, _, note, place in ranked:
        if note not in homes and place not in taken:
            homes[note] = place
            taken.add(place)
    return {note: place for note, place in homes.items() if note != place}


def _close(
    notes: Iterable[str], then: Mapping[str, Texts], texts_of: Callable[[str], Texts]
) -> tuple[dict[str, Texts], list[tuple[str, str]], Texts]:
    """Notes that say much of what other files said: what each says, and the pairs of both.

    And what all the notes say of that.
    """
    places: dict[str, list[str]] = {}
    for place, said in then.items():
        for text in said:
            places.setdefault(text, []).append(place)
    now: dict[str, Texts] = {}
    close: list[tuple[str, str]] = []
    newly: Texts = set()
    for note in notes:
        texts = texts_of(note)
        newly |= texts & places.keys()
        # Fewer than will be asked of them: what tells nobody apart may be missing, too.
        near = {place for text in texts for place in places.get(text, ())} - {note}
        if near := {place for place in near if _share(texts, then[place]) > ALIKE / 2}:
            now[note] = texts
            close += [(note, place) for place in near]
    return now, close, newly


def says_most(now: Texts, then: Texts, dull: Texts) -> bool:
    """Whether a note says most of what a file said."""
    return _share(*_but_for(dull, now, then)) > ALIKE


def stays(now: Texts, then: Texts, dull: Texts) -> bool:
    """Whether a note says most of what its file said, or hardly anything else."""
    return _still_says(*_but_for(dull, now, then)) > ALIKE


def says_some(now: Texts, then: Texts, dull: Texts) -> bool:
    """Whether a note says anything of what its file said.

    Of one that said next to nothing of its own, what tells nobody apart counts as well.
    """
    return _still_says(*_but_for(dull, now, then, least=LITTLE)) > BY_CHANCE


def _share(now: Texts, then: Texts) -> float:
    """How much of what a file said a note says."""
    return len(now & then) / max(len(then), 1)


def _still_says(now: Texts, then: Texts) -> float:
    return len(now & then) / max(min(len(now), len(then)), 1)


def _but_for(dull: Texts, now: Texts, then: Texts, *, least: int = 1) -> tuple[Texts, Texts]:
    """The texts without those that tell nobody apart, unless the file said too little else."""
    return (now - dull, then - dull) if len(then - dull) >= least else (now, then)


def renamed(pairs: Iterable[tuple[str, str]], own: str) -> str:
    """The name that leads from most ids of a note's trees to those of the forest; ``own`` if none.

    :param pairs: (id that a tree has by the note's own name, one that the forest has).
    :param own: what the ids of the note's trees begin with.
    """
    names = Counter[str]()
    for id_, old in pairs:
        part = id_.removeprefix(own)
        is_part = id_ == own or (part != id_ and part.startswith("/"))
        if is_part and old.endswith(part):
            names[old.removesuffix(part)] += 1
    return min(names, key=lambda n: (-names[n], len(n), n)) if names else own


def _file_of(place: str) -> str:
    """The file of a place, which may be that of trees that left it."""
    return place.partition("\0")[0]


def name_of(file: str) -> str:
    """The name of a file without folders and suffix."""
    return PurePosixPath(file).stem
