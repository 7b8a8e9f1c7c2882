"""How fast a forest goes into Neo4j, beside a loop that somebody would write by hand.

    python benchmarks/bench_neo4j.py [--thoughts N | --file PATH] [--version V] [--rounds R]

Starts a temporary Neo4j (it needs the extra ``local-neo4j``) and writes the same trees in turns:
``store`` with `Neo4jStore.write`, ``loop`` with the bare driver and batched UNWINDs, nodes, links
and anchors, 5,000 thoughts a transaction. Both begin with an empty database that has the same
constraints. The last line is the ratio of the two speeds.

With ``--file`` the trees are those of a file, and ``store`` is all that `Forest.import_files` does:
it also reads and checks the file and compares it with the forest, while ``loop`` gets the trees.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import neo4j

from forest.forest import Forest
from forest.formats import find_files, read_file
from forest.identity import finished
from forest.local_neo4j import DEFAULT_VERSION, temporary_server
from forest.model import AnchorLink, Thought, Tree
from forest.schema import neo4j_statements
from forest.stores.neo4j import Neo4jStore

BATCH = 5_000
PER_TREE = 1_000

NODES = """
UNWIND $rows AS row
CREATE (:Thought {id: row.id, text: row.text, level: row.level, kind: row.kind})
"""
TREES = """
UNWIND $rows AS row
MATCH (root:Thought {id: row.root})
CREATE (:Tree {id: row.id, title: row.title, lang: row.lang})-[:ROOT]->(root)
"""
STEPS = """
UNWIND $rows AS row
MATCH (a:Thought {id: row.parent})
MATCH (b:Thought {id: row.child})
CREATE (a)-[:LEADS_TO {position: row.position}]->(b)
"""
ANCHORS = """
UNWIND $rows AS row
MATCH (n:Thought {id: row.thought})
MERGE (a:Anchor {id: row.anchor}) ON CREATE SET a.phrase = row.phrase
CREATE (n)-[:ANCHORED_BY {position: row.position}]->(a)
"""


def forest(thoughts: int) -> Iterator[Tree]:
    """Trees of PER_TREE thoughts; every third thought carries one of the shared anchors."""
    draw = random.Random(1)
    shared = [AnchorLink(phrase=f"общая фраза номер {i}") for i in range(max(10, thoughts // 50))]
    for number in range(-(-thoughts // PER_TREE)):
        outline, level = [], 0
        for i in range(min(PER_TREE, thoughts - number * PER_TREE)):
            level = draw.randint(1, min(level + 1, 40)) if i else 0
            text = f"Мысль {i} дерева {number}: из этого следует, что норма и поступок сошлись."
            anchors = (draw.choice(shared),) if i % 3 == 0 else ()
            outline.append(Thought(text=text, level=level, kind="consequence", anchors=anchors))
        yield finished(Tree(f"Дерево {number}", id=f"tree-{number:06}", thoughts=outline))


def of_file(path: str) -> list[Tree]:
    """The good trees of a file, with ids."""
    items = (item for source in find_files([path]) for item in read_file(source))
    return [finished(item) for item in items if isinstance(item, Tree)]


def by_store(url: str, password: str, trees: list[Tree]) -> None:
    """Write the trees with the library."""
    with Neo4jStore(url, password=password) as store:
        store.write(iter(trees), lambda _, new: new)


def by_import(url: str, password: str, path: str) -> None:
    """Import a file with the library."""
    with Neo4jStore(url, password=password) as store:
        Forest(store).import_files(path)


def by_loop(url: str, password: str, trees: list[Tree]) -> None:
    """Write the trees as one would by hand."""
    with neo4j.GraphDatabase.driver(url, auth=("neo4j", password)) as driver:
        with driver.session() as session:
            for statement in neo4j_statements():
                session.run(statement).consume()  # type: ignore[arg-type]
        waiting = iter(trees)
        with driver.session() as session:
            per_batch = max(1, BATCH * len(trees) // sum(map(len, trees)))
            while some := list(islice(waiting, per_batch)):
                session.execute_write(write_batch, some)


def write_batch(tx: neo4j.ManagedTransaction, trees: list[Tree]) -> None:
    """One transaction of the loop."""
    nodes, heads, steps, anchors = [], [], [], []
    for tree in trees:
        heads.append({"id": tree.id, "title": tree.title, "lang": tree.lang, "root": tree.root.id})
        count: dict[int, int] = {}
        for t, parent in zip(tree.thoughts, tree.parents(), strict=True):
            nodes.append({"id": t.id, "text": t.text, "level": t.level, "kind": t.kind})
            for position, a in enumerate(t.anchors):
                link = {"thought": t.id, "anchor": a.anchor, "phrase": a.phrase}
                anchors.append(link | {"position": position})
            if parent >= 0:
                position = count.get(parent, 0)
                count[parent] = position + 1
                above = tree.thoughts[parent].id
                steps.append({"parent": above, "child": t.id, "position": position})
    for query, rows in ((NODES, nodes), (TREES, heads), (STEPS, steps), (ANCHORS, anchors)):
        tx.run(query, rows=rows).consume()


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """Seconds that the block took, in a list of one."""
    seconds: list[float] = []
    start = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - start)


def empty(url: str, password: str) -> None:
    """Delete everything, constraints and indexes too."""
    everything = "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS"
    with (
        neo4j.GraphDatabase.driver(url, auth=("neo4j", password)) as driver,
        driver.session() as session,
    ):
        session.run(everything).consume()
        for row in session.run("SHOW CONSTRAINTS YIELD name").data():
            session.run(f"DROP CONSTRAINT {row['name']}").consume()  # type: ignore[arg-type]
        session.run("DROP INDEX forest_anchor_phrase IF EXISTS").consume()


def main() -> None:
    """Measure, print each run and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--thoughts", type=int, default=100_000)
    parser.add_argument("--file", help="import this file instead")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--version", default=DEFAULT_VERSION)
    options: Any = parser.parse_args()
    trees = of_file(options.file) if options.file else list(forest(options.thoughts))
    thoughts = sum(map(len, trees))
    ways = {"store": by_store, "loop": by_loop}
    if options.file:
        ways["store"] = lambda url, password, _: by_import(url, password, options.file)
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    with temporary_server(options.version, heap="1g", page_cache="256m") as server:
        url, password = server.bolt_url, server.password()
        for way in ways.values():  # the Java machine compiles what it runs often
            way(url, password, trees[:50])
            empty(url, password)
        for turn in range(options.rounds):
            for name in sorted(ways, reverse=turn % 2 == 0):  # store, loop; loop, store; …
                with stopwatch() as seconds:
                    ways[name](url, password, trees)
                empty(url, password)
                speeds[name].append(thoughts / seconds[0])
                print(f"{name:5} {seconds[0]:7.2f} s {speeds[name][-1]:9,.0f} thoughts/s")
    ratio = statistics.median(speeds["store"]) / statistics.median(speeds["loop"])
    print(f"Neo4j {options.version}: store / loop = {ratio:.2f}")


if __name__ == "__main__":
    main()
