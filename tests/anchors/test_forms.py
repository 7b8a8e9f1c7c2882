"""Which phrases are one anchor without anybody's word."""

from __future__ import annotations

import pytest

from anchors.forms import form_key
from tests.anchors.helpers import groups, registry

ONE = """
сознанье | сознание
причинности -> следствия | Причинность → следствие
"причинность → следствие" | «Причинность» → «следствие»
причинность ➡️ следствие | причинность → следствие
причин\u00adность | причин\u200bность | причинностью
а—б | а - б | а – б
Причина и следствие не всегда линейны | “Причина и следствие — не всегда линейны.”
свобода — это выбор | свобода это выбор
вода! | вода… | воды | водой
страх и вера | страха и веры
страх, вера | страха, веры
мать дочери | матери дочери | матерью дочери
чужая боль | чужие боли | чужой боли
красивый дом | красивого дома | красивые дома
чужая вина | чужой вины
свобода воли | свободой воли
переход между мирами | переходу между мирами
порог между сном и явью | порога между сном и явью
надежда отца и матери | надежды отца и матери
причинно-следственная связь | причинно-следственной связи
нейросеть | нейросети | нейросетью
этот мир | этого мира
весь мир | всего мира
прошлое и будущее | прошлого и будущего
настоящее | настоящего | настоящим
вода + весна → порог страха | воды + весны → порога страха
шаг | шагом
сила | силой
путь | путём
весна | весны | весною | весной
утро | утром
ночь | ночью
день | днём
луч света | лучами света
человек | людей | человека
красивая | красивого | красивые
видит | видел
cause and effect | causes and effects
author's choice | authors' choices
idea | ideas | Idea's
theory | theories
class | classes
crisis of meaning | crises of meaning
lens | lenses
movie | movies
cookie | cookies
virus | viruses
bias | biases
bus | buses
headache | headaches
leaf of the wolf | leaf of the wolves
children and men | child and man
men's work | man's work
matrix of meaning | matrices of meaning
lie | lies
tie | ties
"""
APART = """
мать — дочь | мать дочь
вина | вино | вин
гора | горе
душ | душа
дух | духи
банка | банк | банки
человек боится | человека боятся | люди боятся
мать дочери | матери дочь
мать боится | мать боятся
мать добра | матери добра
дорога долга | дороги долга
дом у моря | дома у моря
страх-вера | страхо-вера
сам мир | самый мир
прошлое | прошлый
суд | суда | судно
пара | пары | пар
суд времени | суда времени
отец и дочь | отцу и дочь
надежда отца и матери | надежда отца и мать
граница знания | граница знаний
мести | метёт | месть
жара | жары
чужая вина | чужое вино
чужой боли | чужой боль свидетеля
человек дома | человека дома
час | часы
сталь | стали | стал
знать | знати | знает
дар | даром
лучше | хороший | лучший
красиво | красивый
видящий | видит | видимый
супруг | супруга
experience | experiment
human | humane
moral | morale | morals
several | severe
object | objective
author | authority
relative | relate | related
mean | meaning | means
import | important
universe | university
it | its | it's
this | his
new | news
ethic | ethics
base | bases | basis
axe | axes | axis
lens | len
other life | other lives | other live
leaf | leaves | leave
half | halves | halve
analysis | analyses | analyse
hope | hop
вода | вода?
"""


def lines(text: str) -> list[list[str]]:
    return [line.split(" | ") for line in text.strip().splitlines()]


@pytest.mark.parametrize("phrases", lines(ONE))
def test_forms_of_the_same_words_are_one_anchor(phrases):
    assert len(groups(registry(phrases))) == 1


@pytest.mark.parametrize("phrases", lines(APART))
def test_other_words_are_other_anchors_however_alike(phrases):
    assert len(groups(registry(phrases))) == len(phrases)


def test_every_dictionary_form_stands_for_itself():
    nouns = "вина вино гора горе душ душа дух духи банка банк час часы лук лука физик физика"
    assert form_key(nouns) == nouns
