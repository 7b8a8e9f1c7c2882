"""Templates that authors write, run so that none reaches out of its text or goes on for ever.

They run in Jinja2's sandbox, with bounds on the steps of their loops, macros and includes, on their
time, and on what they write. Import this module where a template is used: it loads jinja2.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, NoReturn

from jinja2 import StrictUndefined, Template, TemplateRuntimeError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

STEPS = 200_000
"""Turns of loops, calls of macros and includes that one rendering may take."""
SECONDS = 10.0
"""Processor time that one rendering may take, in seconds."""
SIGNS = 1_000_000
"""Characters that one rendering may write, and the largest number that it may compute with."""

_WIDTH = re.compile(r"%[^a-zA-Z%]*(?:\d{6}|\*)")


class TooLarge(TemplateRuntimeError):
    """A template runs for too long, or writes too much."""


class _Budget:
    """What is left to one rendering."""

    def __init__(self) -> None:
        self.steps = STEPS
        self.end = time.thread_time() + SECONDS

    def take(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise TooLarge(f"it takes more than {STEPS:,} steps: is there a loop without an end?")
        if time.thread_time() > self.end:
            raise TooLarge(f"it takes more than {SECONDS:.0f} seconds")


_budget: ContextVar[_Budget] = ContextVar("budget")


class Bounded(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, where each turn of a loop counts. What is not defined is an error."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, **options)
        self.globals["range"] = self._range
        del self.globals["lipsum"]  # as many words as it is asked for

    def step(self) -> bool:
        """Count a step. Raises TooLarge."""
        _budget.get().take(1)
        return True

    def joined(self, *parts: Any) -> str:
        """What `~` makes of its parts."""
        text = "".join(map(str, parts))
        return text if len(text) <= SIGNS else _too_long()

    def _range(self, *args: int) -> range:
        found = range(*args)
        _budget.get().take(len(found))
        return found

    def _generate(self, source: nodes.Template, *args: Any, **named: Any) -> str:
        counted = _Counting().visit(source)
        counted.set_environment(self)
        return super()._generate(counted, *args, **named)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operator, but none that makes a number or a text without measure."""
        texts = [x for x in (left, right) if hasattr(x, "__len__")]
        numbers = [abs(x) for x in (left, right) if isinstance(x, int | float)]
        if operator == "*" and texts and numbers and len(texts[0]) * numbers[0] > SIGNS:
            _too_long()
        if operator == "**" and numbers and max(numbers) > 1 and numbers[-1] > 64:
            raise TooLarge("it raises to a power above 64")
        if operator == "%" and isinstance(left, str) and _WIDTH.search(left):
            _too_long()
        found = super().call_binop(context, operator, left, right)
        if hasattr(found, "__len__") and len(found) > SIGNS:
            _too_long()
        return found

    def call(self, context: Any, obj: Any, *args: Any, **named: Any) -> Any:
        if any(isinstance(x, int) and abs(x) > SIGNS for x in (*args, *named.values())):
            raise TooLarge(f"it calls with a number above {SIGNS:,}")
        return super().call(context, obj, *args, **named)


class _Counting(NodeTransformer):
    """Puts a step at the start of all that may run again."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        if node.test is not None:
            node.test = nodes.And(_step(), node.test)
        return self._begun(node)

    def _begun(self, node: Any) -> nodes.Node:
        node.body.insert(0, nodes.ExprStmt(_step()))
        return self.generic_visit(node)

    visit_Template = visit_Macro = visit_CallBlock = _begun  # noqa: N815

    def visit_Const(self, node: nodes.Const) -> nodes.Node:  # noqa: N802
        if isinstance(node.value, int) and node.value > SIGNS:
            raise TemplateSyntaxError(f"it has a number above {SIGNS:,}", node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        call = nodes.Call(nodes.EnvironmentAttribute("joined"), node.nodes, [], None, None)
        return call.set_lineno(node.lineno)


def _step() -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute("step"), [], [], None, None)


def _too_long() -> NoReturn:
    raise TooLarge(f"it writes more than {SIGNS:,} characters")


def rendered(template: Template, values: Mapping[str, Any]) -> str:
    """What a template of a `Bounded` environment writes.

    :raises jinja2.TemplateError: it is wrong, or too much (`TooLarge`).
    :raises Exception: whatever else it computes, such as a division by zero.
    """
    token = _budget.set(_Budget())
    parts, size = list[str](), 0
    try:
        for part in template.generate(values):
            size += len(part)
            parts.append(part if size <= SIGNS else _too_long())
    finally:
        _budget.reset(token)
    return "".join(parts)
