"""Which notes of an import are files that the forest knows by another path.

A note that says what another file said is that file, moved or renamed: notes may have changed
places, or each have taken the name of the next one. A note that still says something of what it
said stays where it is. So does one that was edited, unless its place is wanted by the note that
it was, and it has nothing more in common with it.

Who was moved and edited at once says what no file said; it is known by most of its texts, as long
as they are its own: what other notes say as well, as of one template, tells nobody apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import PurePosixPath

from forest.namesakes import ALIKE, likeness

Hashes = Mapping[str, Collection[str]]
"""By file, what each of its trees says."""
Texts = set[str]


def moved(now: Hashes, then: Hashes, is_alike: Callable[[str], bool]) -> dict[str, str]:
    """The notes that are other files, each with the file that it was.

    :param now: what notes say whose file does not say any of that in ``then``.
    :param then: what these files said, and files that are gone.
    :param is_alike: whether a note of both has much of what its file said.
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
        stay = {f for f in open_ if (f in wanted) != (f in homes) and is_alike(f)}
        if not stay:
            return homes
        held |= stay


def _matched(now: Hashes, then: Hashes) -> dict[str, str]:
    """Each note with the file of which it says most; each file is found once."""
    files: dict[str, list[str]] = {}
    for file, said in then.items():
        for one in said:
            files.setdefault(one, []).append(file)
    names = {name_of(file) for file in then}
    homes: dict[str, str] = {}
    taken: set[str] = set()
    # of notes alike, the one that kept its name is that file
    for note in sorted(now, key=lambda n: name_of(n) not in names):
        common = Counter(f for one in now[note] for f in files.get(one, ()) if f not in taken)
        if common:
            homes[note] = max(common, key=lambda f: (common[f], name_of(f) == name_of(note)))
            taken.add(homes[note])
    return homes


def resembling(
    new: Iterable[str],
    then: Mapping[str, Texts],
    texts_of: Callable[[str], Texts],
    said_often: Callable[[Texts], Texts],
) -> dict[str, str]:
    """The notes that say most of what another file said, each with that file.

    :param new: notes that are no file that is known.
    :param then: files that no note is, with all that they said.
    :param texts_of: all that a note says.
    :param said_often: which of some texts more than one note says.
    """
    places: dict[str, list[str]] = {}
    for place, said in then.items():
        for text in said:
            places.setdefault(text, []).append(place)
    now: dict[str, Texts] = {}
    close: list[tuple[str, str]] = []
    for note in new:
        texts = texts_of(note)
        near = {place for text in texts for place in places.get(text, ())}
        near = {place for place in near if likeness(texts, then[place]) > ALIKE}
        if near:
            now[note] = texts
            close += [(note, place) for place in near]
    shared = {text for note, place in close for text in now[note] & then[place]}
    dull = {text for text in shared if len({_file_of(place) for place in places[text]}) > 1}
    dull |= said_often(shared) if close else set()

    def rank(pair: tuple[str, str]) -> tuple[float, bool, tuple[str, str]]:
        note, place = pair
        much = likeness(now[note] - dull, then[place] - dull)
        return -much, name_of(_file_of(place)) != name_of(note), pair

    homes: dict[str, str] = {}
    taken: set[str] = set()
    for unlike, _, (note, place) in sorted(map(rank, close)):
        if -unlike > ALIKE and note not in homes and place not in taken:
            homes[note] = place
            taken.add(place)
    return homes


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
