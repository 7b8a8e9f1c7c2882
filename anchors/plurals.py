"""English plurals, third persons and possessives, and the words that they are forms of.

Only what is sure: what two words share ("bases" of base and basis, "leaves" of leaf and leave)
belongs to neither here. `anchors.forms` joins by it, `anchors.lemmas` begins with it.
"""

from __future__ import annotations

import re
from functools import cache

# Words in -s that are no form of what is left without it, or mean something else than that.
_OWN = frozenset(
    """
    news means goods customs arms manners morals spirits spectacles glasses contents humanities
    riches series species mars texas kansas does goes always perhaps besides sometimes afterwards
    overseas towards whereas hers ours theirs yours
    """.split()  # noqa: SIM905 - prose reads better than a list
)
_CLITIC = frozenset(
    "it he she that what there here who where how when why let".split()  # noqa: SIM905 - as above
)
"""Behind these 's is a word, not a possessive."""

# Words whose plural the letters tell wrongly: "movies" is not of "movy", "lenses" not of "lense".
_TAKES_S = """
movie cookie rookie bookie pie magpie zombie genie brownie prairie birdie collie necktie sortie
reverie calorie cutie sweetie foodie hoodie smoothie veggie auntie selfie hippie pixie junkie
newbie oldie goodie groupie freebie talkie walkie goalie rotisserie patisserie lingerie boogie
canoe oboe floe horseshoe tiptoe
ache headache toothache heartache backache cache niche psyche avalanche quiche pastiche cliche
douche moustache mustache brioche finesse posse lacrosse
"""
_TAKES_ES = """
lens bus minibus omnibus virus retrovirus bias gas atlas canvas christmas pancreas iris trellis
status bonus campus focus census circus chorus genius surplus crocus octopus walrus cactus fungus
nucleus radius stimulus plus minus corpus consensus nexus apparatus prospectus platypus
hippopotamus sinus caucus abacus mucus fetus lotus hiatus impetus discus alias ibis pelvis tennis
metropolis necropolis acropolis waltz blitz quartz
"""
_IS_TO_ES = """
crisis thesis hypothesis antithesis synthesis photosynthesis parenthesis oasis emphasis nemesis
synopsis metamorphosis neurosis psychosis prognosis catharsis genesis biogenesis prosthesis
"""

# Plurals of another shape.
_OTHER_SHAPE = """
child children  man men  woman women  foot feet  tooth teeth  goose geese  mouse mice  ox oxen
wolf wolves  knife knives  wife wives  elf elves  self selves  loaf loaves  thief thieves
scarf scarves  hoof hooves  dwarf dwarves  phenomenon phenomena  criterion criteria
matrix matrices  vertex vertices  index indices  vortex vortices  appendix appendices  codex codices
stimulus stimuli  nucleus nuclei  radius radii  fungus fungi  cactus cacti  locus loci
alumnus alumni
bacterium bacteria  stratum strata  curriculum curricula  larva larvae  alga algae  nebula nebulae
vertebra vertebrae  formula formulae  antenna antennae
"""
# Plurals that are also a form of another word, a verb ("she leaves") or a second noun (an axe).
_OF_TWO = """
life lives  leaf leaves  shelf shelves  calf calves  half halves  sheaf sheaves  staff staves
analysis analyses  diagnosis diagnoses  paralysis paralyses  catalysis catalyses
axis axes  basis bases  ellipsis ellipses
"""


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[1::2], words[::2], strict=True))


@cache
def _of_two() -> dict[str, str]:
    return _pairs(_OF_TWO)


@cache
def _known() -> dict[str, str]:
    """By its plural, a word that the letters do not tell."""
    return {
        **{f"{word}s": word for word in _TAKES_S.split()},
        **{f"{word}es": word for word in _TAKES_ES.split()},
        **{f"{word[:-2]}es": word for word in _IS_TO_ES.split()},
        **{word: word for word in _OWN},
        **{word: word for word in _TAKES_ES.split()},
        **{plural: plural for plural in _of_two()},
        **_pairs(_OTHER_SHAPE),
        "quizzes": "quiz",
    }


def singular(word: str) -> str:
    """A word, in lower case, without the -s of a plural, a third person or a possessive.

    >>> [singular(word) for word in ("causes", "theories", "classes", "heroes", "crisis", "bias")]
    ['cause', 'theory', 'class', 'hero', 'crisis', 'bias']
    >>> [singular(word) for word in ("crises", "biases", "movies", "lenses", "axes", "children")]
    ['crisis', 'bias', 'movie', 'lens', 'axes', 'child']
    """
    bare, _, tail = word.partition("'")
    if tail == "s":
        return word if bare in _CLITIC else _pairs(_OTHER_SHAPE).get(bare, bare)
    if word in _known():
        return _known()[word]
    if len(word) < 4 or not re.search("(...a|[^aius])s$", word) or word[-3:] == "ics":
        return word
    if re.search(".[^aeiou]ies$", word):
        return f"{word[:-3]}y"
    return word[:-2] if re.search("(ss|sh|ch|x|zz|...o)es$", word) else word[:-1]


def plural_of(word: str) -> tuple[str, ...]:
    """The words that one in -s may be a form of, where `singular` leaves it as it is for two.

    >>> plural_of("leaves"), plural_of("causes")
    (('leaf', 'leave'), ())
    """
    plural = _of_two().get(word)
    return () if plural is None else (plural, word[:-1])
