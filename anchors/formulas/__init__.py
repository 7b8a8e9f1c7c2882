"""Formulas: a scene compressed into a code, and what the code unfolds into.

The forms an author may write, one formula to a line::

    Δ12 = (вода + весна + неясность) = сцена про влечение и расцвет
    Δ94 = порог(страх · пустота · наблюдение)
    Δ12 + Δ41 → Δ91 = весна + жара + шаг = «Пробуждение с болью»
    Λ1 = (Δ12 → Δ41 → Δ57)
    Ω3 = [Δ01, Δ02, Δ03]_гармония
    Δ41 → сцепка: жартишинавход → фраза: «Он замер у границы жара, где всё замирает.»
    Δ12 = (вода — среда + весна — архетип + неясность — эмоциональная граница)

The code may also stand on a line of its own, below the formula, and a phrase on the line below it.
``->`` is read as →, ``*`` as ·. What holds a mark of the grammar is put into quotes: «а + б».

`codes` says what a code is, `model` what a formula is, `syntax` reads and prints one, `notes` finds
those of a Markdown note, `expansion` unfolds formulas of formulas. The grammar is `formula.lark`.

In a forest: `book` reads them all, `registry` writes them, `importing` takes those of notes;
`criteria` says whether one deserves a code, `vectors` which is near, `cores` which may become one,
`where` in which trees and thoughts one stands.
"""
