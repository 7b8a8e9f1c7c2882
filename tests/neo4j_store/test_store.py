"""The store on Neo4j keeps the contract, among other writers and on bad days."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import neo4j
import pytest
from neo4j import exceptions as driver

from forest.errors import (
    Conflict,
    ForestError,
    SchemaTooNew,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from forest.forest import Forest
from forest.model import AnchorLink, Thought, Tree
from forest.nodes import Link, Node
from forest.schema import SCHEMA_VERSION
from forest.stores.neo4j import Neo4jStore, anchors, connection, reading, spool, writing
from forest.stores.neo4j.faults import translated
from forest.stores.testing import StoreContract, put, thought, tree

pytestmark = pytest.mark.neo4j


class TestContract(StoreContract):
    @pytest.fixture
    def store(self, opened):
        return opened()

    @pytest.fixture
    def reopen(self, store, opened):
        def again():
            store.close()
            return opened()

        return again


IN_MANY_TRANSACTIONS = [
    "test_a_long_chain",
    "test_a_removed_trees_thoughts_can_go_to_another_in_one_go",
    "test_a_stream_of_trees_goes_on_while_the_store_is_used",
    "test_a_thought_id_of_another_tree_is_a_conflict",
    "test_a_thought_id_used_twice_in_one_write_is_a_conflict",
    "test_two_trees_of_one_id_in_one_write_are_a_conflict",
    "test_a_wide_family",
    "test_change_may_add_move_prune_and_graft_in_place",
    "test_every_field_comes_back",
    "test_everything_comes_in_the_order_of_ids_by_code_point",
    "test_many_trees_in_one_write",
    "test_merge_may_change_the_old_tree_and_return_it",
    "test_nothing_is_stored_if_a_change_is_a_conflict",
    "test_nothing_is_stored_if_merge_raises",
    "test_nothing_is_stored_if_the_trees_raise",
    "test_two_trees_swap_thoughts_in_one_go",
    "test_write_says_what_it_did",
]


class InManyTransactions:
    """What the contract says of big writes, with few trees in many transactions."""

    levels = 100
    many = 30

    @pytest.fixture(autouse=True)
    def _small_batches(self, monkeypatch):
        monkeypatch.setattr(spool, "BATCH", 3)
        monkeypatch.setattr(spool, "IN_MEMORY", 200)
        monkeypatch.setattr(reading, "ENOUGH", 3)
        monkeypatch.setattr(writing, "ROWS", 2)

    store = TestContract.store
    reopen = TestContract.reopen


TestInManyTransactions = type(
    "TestInManyTransactions",
    (InManyTransactions,),
    {name: getattr(StoreContract, name) for name in IN_MANY_TRANSACTIONS},
)


def test_a_thought_may_move_between_the_trees_of_one_write(store, monkeypatch):
    monkeypatch.setattr(spool, "BATCH", 1)
    moving = thought("Мысль.", level=1, id="a/x")
    put(store, tree("a", "Корень.", moving), tree("b", "Корень."), tree("c", "Корень."))
    put(store, tree("a", "Корень."), tree("b", "Корень.", moving))
    assert store.tree_of("a/x") == "b"
    with pytest.raises(Conflict, match=r"'c'.*'a/x'.*'b'"):
        put(store, tree("a", "Иначе."), tree("c", "Корень.", moving))
    with pytest.raises(Conflict, match="'a/y'"):
        put(store, tree("a", thought("Y.", id="a/y")), tree("c", thought("Y.", id="a/y")))
    with pytest.raises(Conflict, match="'a/y'"):
        put(store, tree("c", thought("Y.", id="a/y")), tree("a", thought("Y.", id="a/y")))
    assert [t.root.text for t in store.trees()] == ["Корень."] * 3


# --- size -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_chain_of_100_000_levels(store):
    n = 100_000
    chain = [Thought(text=f"Шаг {i}.", level=i, id=f"deep/{i}") for i in range(n)]
    chain[-1] = thought("Дно.", "дно", level=n - 1, id=f"deep/{n - 1}")
    chain[7] = thought("Шаг 7.", "общий", level=7, id="deep/7")
    put(store, Tree("deep", thoughts=chain))
    assert store.get("deep").thoughts == chain
    assert store.tree_of(f"deep/{n - 1}") == "deep"
    assert [o.level for o in store.occurrences("дно")] == [n - 1]
    assert [a.id for a in store.anchors()] == ["дно", "общий"]
    assert list(store.check()) == []
    Forest(store).edit_thought(f"deep/{n // 2}", text="Иначе.")
    assert store.get("deep").thoughts[n // 2].text == "Иначе."


def test_an_anchor_of_every_thought_of_a_long_chain(store):
    n = 20_000
    chain = [thought("Шаг.", "общий", level=i, id=f"deep/{i}") for i in range(n)]
    put(store, Tree("deep", thoughts=chain))
    put(store, tree("other", thought("Шаг.", "общий")))
    places = list(store.occurrences("общий"))
    assert [(o.tree, o.level) for o in places] == [("deep", i) for i in range(n)] + [("other", 0)]


@pytest.mark.parametrize(
    "query",
    [
        reading.THOUGHTS,
        reading.NAMES,
        anchors.CARRIED,
        anchors.TREES_ABOVE,
        anchors.CARRIERS_BELOW,
    ],
)
def test_no_query_keeps_all_paths(store, clean_neo4j, query):
    """Without pruning, a chain costs the square of its length."""
    credentials = (clean_neo4j.username, clean_neo4j.password)
    with neo4j.GraphDatabase.driver(clean_neo4j.url, auth=credentials) as bare:
        explained = bare.execute_query(f"EXPLAIN CYPHER 5 {query}", nodes=[], trees=[], anchors=[])
    waiting, operators = [explained.summary.plan or {}], []
    while waiting:
        plan = waiting.pop()
        operators.append(plan["operatorType"].partition("@")[0])
        waiting += plan.get("children", [])
    paths = [operator for operator in operators if operator.startswith("VarLength")]
    assert paths == ["VarLengthExpand(Pruning,BFS,All)"]
    assert list(store.trees()) == []


# --- Cypher ---------------------------------------------------------------------------------------


def test_cypher_gives_what_json_can_say(typed):
    rows = typed(
        """
        CREATE p = (a:B:A {x: 1, l: [1.5, null, 'я']})-[r:R {d: date('2024-02-29')}]->(b:C)
        RETURN a, r, p, datetime('2024-02-29T10:00Z') AS t, duration('P1DT2H') AS u,
               point({x: 1, y: 2}) AS q, {k: [a]} AS m, null AS n, true AS y, $given AS given
        """.replace(", null, 'я'", ""),
        given={"a": [1, "я"]},
    )
    (row,) = rows
    node, link = row["a"], row["r"]
    assert (node["labels"], node["properties"]) == (["A", "B"], {"x": 1, "l": [1.5]})
    assert (link["type"], link["properties"]) == ("R", {"d": "2024-02-29"})
    assert link["start"] == node["element_id"]
    assert [n["labels"] for n in row["p"]["nodes"]] == [["A", "B"], ["C"]]
    assert row["p"]["relationships"] == [link]
    assert row["m"] == {"k": [node]}
    assert row["q"]["coordinates"] == [1.0, 2.0]
    assert (row["t"], row["u"]) == ("2024-02-29T10:00:00.000000000+00:00", "P1DT2H")
    assert (row["n"], row["y"], row["given"]) == (None, True, {"a": [1, "я"]})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("MATCH (n RETURN n", "Invalid input"),
        ("RETURN $missing", "missing"),
        ("RETURN 1 + date()", "."),
        ("RETURN nothing", "nothing"),
    ],
)
def test_a_wrong_query_is_told_in_neo4js_words(typed, query, message):
    with pytest.raises(UsageError, match=message):
        typed(query)


def test_ids_and_phrases_are_data(store, typed):
    names = ["'}) DETACH DELETE n //", "x' OR 1=1", "`) DELETE n //", "$id", "\\u0027"]
    for name in names:
        root = Thought(text=name, id=f"{name}/r", anchors=(AnchorLink(phrase=name),))
        put(store, tree(name, root, axes=[name], meta={name: name}))
    assert [t.id for t in store.trees()] == sorted(names)
    for name in names:
        assert store.get(name).root.anchors[0].phrase == name
        assert store.tree_of(f"{name}/r") == name
        assert [o.tree for o in store.occurrences(store.get(name).root.anchors[0].anchor)] == [name]
    store.change(names[:1], dict.fromkeys)
    assert typed("MATCH (t:Tree) RETURN count(*) AS n") == [{"n": len(names) - 1}]


# --- opening --------------------------------------------------------------------------------------


def test_a_wrong_password_is_refused_and_never_told(opened):
    with pytest.raises(StoreError, match="NEO4J_PASSWORD") as caught:
        opened(password="not-the-password")
    assert not isinstance(caught.value, StoreUnavailable)
    assert "not-the-password" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    with pytest.raises(StoreError, match="asks for a password, and none was given"):
        opened(password=None)


@pytest.mark.parametrize("url", ["neo4j://neo4j:s3cret@127.0.0.1:1", "bolt://s3cret@127.0.0.1:1"])
def test_a_url_holds_no_password(url):
    with pytest.raises(UsageError, match="NEO4J_PASSWORD") as caught:
        Neo4jStore(url)
    assert "s3cret" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"


def test_a_store_shows_no_password(store, clean_neo4j):
    assert repr(store) == f"Neo4jStore({clean_neo4j.url!r})"
    shown = f"{vars(store)} {vars(store._connection)}"
    assert not clean_neo4j.password or clean_neo4j.password not in shown


@pytest.mark.parametrize("url", ["neo4j://", "bolt://127.0.0.1:no", "neo4j://127.0.0.1:99999999"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(UsageError, match="URL"):
        Neo4jStore(url)


def test_nobody_answers():
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1\b"):
        Neo4jStore("bolt://127.0.0.1:1", password="x")
    with pytest.raises(StoreUnavailable, match=r"no-such-host\.invalid"):
        Neo4jStore("neo4j://no-such-host.invalid:7687", password="x")


def test_something_else_answers():
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(20)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        port = server.server_address[1]
        with pytest.raises(StoreError, match=str(port)):
            Neo4jStore(f"bolt://127.0.0.1:{port}", password="x")
        server.shutdown()
        thread.join()


def test_an_unknown_database_is_told(opened, clean_neo4j):
    with pytest.raises(StoreError, match="nowhere"):
        opened(database="nowhere")
    with pytest.raises(StoreError, match="nowhere"):
        opened(url=f"{clean_neo4j.url}/nowhere")
    assert list(opened(database="neo4j").trees()) == []


def test_a_version_that_is_no_number_is_refused(typed, opened):
    typed("MATCH (m:ForestMeta) SET m.version = '2'")
    with pytest.raises(StoreError, match="no number: '2'"):
        opened()


def test_a_newer_schema_is_refused(typed, opened):
    typed("MATCH (m:ForestMeta) SET m.version = 99")
    with pytest.raises(SchemaTooNew, match="99"):
        opened()


@pytest.mark.parametrize("label", ["Tree", "Thought", "Anchor", "Axis"])
def test_doubles_from_before_are_named(typed, opened, label):
    typed(f"DROP CONSTRAINT forest_{label.lower()}_id")
    typed(f"CREATE (:{label} {{id: 'a'}}), (:{label} {{id: 'twice'}}), (:{label} {{id: 'twice'}})")
    with pytest.raises(Conflict, match=f"{label} nodes share the id 'twice'"):
        opened()
    typed(f"MATCH (n:{label} {{id: 'twice'}}) WITH n LIMIT 1 DELETE n")
    opened()
    assert {"name": f"forest_{label.lower()}_id"} in typed("SHOW CONSTRAINTS YIELD name")


def test_an_index_of_ones_own_is_named(typed, opened):
    typed("DROP CONSTRAINT forest_tree_id")
    typed("CREATE INDEX mine FOR (n:Tree) ON (n.id)")
    with pytest.raises(StoreError, match=r"index of its own on Tree\.id"):
        opened()
    typed("DROP INDEX mine")


@pytest.mark.usefixtures("bare_neo4j")
def test_constraints_and_indexes_are_there_once_it_was_opened(typed, opened):
    names = typed("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name ORDER BY name")
    assert [row["name"] for row in names] == [
        "forest_anchor_id",
        "forest_anchor_phrase",
        "forest_axis_id",
        "forest_decision_no",
        "forest_formula_code",
        "forest_proposal_id",
        "forest_scene_id",
        "forest_thought_id",
        "forest_tree_id",
    ]
    opened()
    assert typed("MATCH (m:ForestMeta) RETURN m.version AS v") == [{"v": SCHEMA_VERSION}]


def test_a_database_of_an_older_schema_is_brought_up_to_date(typed, opened):
    typed("DROP CONSTRAINT forest_formula_code")
    typed("MATCH (m:ForestMeta) SET m.version = 1")
    opened()
    assert typed("MATCH (m:ForestMeta) RETURN m.version AS v") == [{"v": SCHEMA_VERSION}]
    assert {"name": "forest_formula_code"} in typed("SHOW CONSTRAINTS YIELD name")


# --- nodes beside the trees -----------------------------------------------------------------------


def test_a_formula_may_be_typed_by_hand(store, typed):
    typed(
        "CREATE (f:Formula {code: 'Δ12', name: 'весна', mine: 1})"
        "-[:TERM {role: 'object'}]->(:Anchor {phrase: 'Вода'}),"
        " (f)-[:COMPOSED_OF]->(:Formula {code: 'Δ41'}), (f)-[:LIKED_BY]->(:Person)"
    )
    water = Link("TERM", "вода", {"phrase": "Вода", "role": "object"})
    formula = Node("Formula", "Δ12", {"name": "весна"}, (water, Link("COMPOSED_OF", "Δ41")))
    assert list(store.nodes("Formula")) == [formula]
    # What is the author's own stays, and the anchor is still one node.
    store.change_nodes(["Formula"], lambda _: {formula.at: replace(formula, properties={})})
    assert typed("MATCH (f:Formula {code: 'Δ12'}) RETURN f.mine, f.name") == [
        {"f.mine": 1, "f.name": None}
    ]
    assert typed("MATCH (f)-[:LIKED_BY]->(p) RETURN count(p) AS n") == [{"n": 1}]
    assert typed("MATCH (a:Anchor) RETURN a.id") == [{"a.id": "вода"}]
    store.change_nodes([], lambda _: {formula.at: None})
    assert list(store.nodes("Formula")) == []
    assert typed("MATCH (f:Formula) RETURN f.code, f.mine ORDER BY f.code")[0]["f.mine"] == 1
    assert typed("MATCH (a:Anchor) RETURN a.id") == []


def test_two_changes_of_nodes_never_overlap(opened):
    stores = [opened() for _ in range(4)]

    def add(store):
        for _ in range(5):

            def change(old):
                node = Node("Decision", f"{len(old):03d}", {"at": "now", "action": "merge"})
                return {node.at: node}

            store.change_nodes(["Decision"], change)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, stores))
    assert [node.key for node in stores[0].nodes("Decision")] == [f"{i:03d}" for i in range(20)]


# --- errors ---------------------------------------------------------------------------------------


def every_driver_error():
    found, waiting = [], [driver.GqlError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if error is not driver.GqlError:
            found.append(error)
    return sorted(set(found), key=lambda error: error.__name__)


@pytest.mark.parametrize("kind", every_driver_error(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_driver_has_its_error_of_the_forest(kind):
    told = translated(kind("what the driver says"), "neo4j://here:7687")
    assert isinstance(told, ForestError)
    assert "neo4j://here:7687" in str(told)
    unavailable = (driver.ServiceUnavailable, driver.SessionExpired, driver.TransientError)
    assert isinstance(told, StoreUnavailable) or not issubclass(kind, unavailable)
    assert ("may be stored, or not" in str(told)) == (kind is driver.IncompleteCommit)


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("Neo.ClientError.Security.Unauthorized", "no", StoreError),
        ("Neo.ClientError.Security.AuthenticationRateLimit", "no", StoreUnavailable),
        ("Neo.ClientError.Security.Forbidden", "no", StoreError),
        ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", "no", StoreUnavailable),
        ("Neo.TransientError.Transaction.DeadlockDetected", "no", StoreUnavailable),
        ("Neo.DatabaseError.General.UnknownError", "No space left on device", StoreUnavailable),
        ("Neo.DatabaseError.General.UnknownError", "broken", StoreError),
        ("Neo.ClientError.Schema.ConstraintValidationFailed", "exists", Conflict),
        ("Neo.ClientError.Database.DatabaseNotFound", "no", StoreError),
    ],
)
def test_what_the_server_says_has_its_error(code, message, kind):
    error = driver.Neo4jError._hydrate_neo4j(code=code, message=message)
    told = translated(error, "neo4j://here:7687")
    assert type(told) is kind


# --- among others ---------------------------------------------------------------------------------


def test_several_may_open_a_new_database_at_once(opened):
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: opened(), range(4)))
    assert [list(store.trees()) for store in stores] == [[]] * 4


def test_writers_of_one_tree_lose_no_update(opened):
    put(opened(), tree("t", Thought(text="Корень.", id="t/r")))
    forests = [Forest(opened()) for _ in range(4)]

    def grow(number):
        for i in range(8):
            forests[number].add_thought("t", f"{number}.{i}", under="t/r", anchors=["общий"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(grow, range(4)))
    texts = sorted(t.text for t in forests[0].get("t").thoughts)
    assert texts == sorted(["Корень.", *(f"{n}.{i}" for n in range(4) for i in range(8))])
    assert forests[0].check() == []


def test_writers_of_a_new_tree_see_each_other(opened):
    stores = [opened() for _ in range(4)]

    def append(number):
        def merge(old, new):
            if old is None:
                return new
            old.add(f"Ещё {number}.", under=old.root)
            return old

        stores[number].write([tree("t", f"Первый {number}.")], merge)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(4)))
    assert len(stores[0].get("t")) == 4


def test_anchors_come_and_go_between_writers(opened):
    stores = [opened() for _ in range(3)]

    def flicker(number):
        for i in range(12):
            anchors = ("общий", "второй") if i % 2 else ()
            put(stores[number], tree(f"t{number}", thought(f"{i}", *anchors)))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(flicker, range(3)))
    assert [(a.id, a.trees) for a in stores[0].anchors()] == [("второй", 3), ("общий", 3)]
    assert list(stores[0].check()) == []


def test_a_reader_sees_no_half_of_a_write(opened):
    reader, writer = opened(), opened()

    def version(number):
        steps = [Thought(text=f"{number}", level=1, id=f"t/{i}") for i in range(300)]
        root = Thought(text=f"{number}", id="t/root")
        return Tree("t", thoughts=[root, *(steps if number % 2 else steps[::-1])])

    put(writer, version(0))
    done = threading.Event()

    def write():
        try:
            for number in range(1, 25):
                put(writer, version(number))
        finally:
            done.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not done.is_set():
            read = reader.get("t")
            assert len(read) == 301
            assert len({t.text for t in read.thoughts}) == 1
        writing.result()


# --- bad days -------------------------------------------------------------------------------------


@contextmanager
def watched(server):
    """Number of trees in the database, asked past the store."""
    with neo4j.GraphDatabase.driver(server.url, auth=(server.username, server.password)) as bare:
        yield lambda: bare.execute_query("MATCH (t:Tree) RETURN count(t)").records[0][0]


def until(condition):
    deadline = datetime.now(UTC) + timedelta(seconds=120)
    while not condition():
        assert datetime.now(UTC) < deadline
        time.sleep(0.01)


def test_waiting_for_the_server_is_told(opened, monkeypatch, caplog):
    monkeypatch.setattr(connection, "PATIENCE", 0)
    store = opened()
    put(store, tree("t"))
    failures = [driver.SessionExpired("the server went away")] * 3

    def change(old):
        if failures:
            raise failures.pop()
        return dict.fromkeys(old)

    store.change(["t"], change)
    assert "the server went away: trying again for up to 120 s" in caplog.text
    assert list(store.trees()) == []


@contextmanager
def hanging_up(listens, until):
    """The URL of a server that takes connections and ends them, ``until`` that says to stop."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve():
            while not until():
                with server.accept()[0] as client:
                    client.recv(1000 if listens else 0)
            server.close()

        with ThreadPoolExecutor(1) as pool:
            pool.submit(serve)
            yield f"bolt://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("listens", [True, False])
def test_a_server_that_stops_while_a_forest_is_opened_is_waited_for(monkeypatch, caplog, listens):
    monkeypatch.setattr(connection, "PATIENCE", 0.1)
    with (
        hanging_up(listens, lambda: "trying again" in caplog.text) as url,
        pytest.raises(StoreUnavailable, match="nothing answers"),
    ):
        Neo4jStore(url, retry_seconds=1)
    assert "cannot be reached" in caplog.text


def test_an_interrupt_that_garbles_the_connection_stays_an_interrupt(store):
    class Trap(dict):
        def items(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store._connection.write(
            lambda tx: tx.run("RETURN $a, $b", {"a": "x" * 100_000, "b": Trap(c=1)})
        )
    put(store, tree("t"))
    assert [t.id for t in store.trees()] == ["t"]


def test_a_commit_whose_answer_was_lost_counts_as_done(store, monkeypatch):
    write = store._connection.write

    def twice(work, *given):
        write(work, *given)  # committed, but the driver did not hear of it
        return write(work, *given)

    monkeypatch.setattr(store._connection, "write", twice)
    with_new = {tree("a").revision: "a", tree("b").revision: "b"}

    def merge(old, new):
        return None if old and old.revision in with_new else new

    written = store.write([tree("a"), tree("b")], merge)
    assert (written.added, written.unchanged, written.thoughts) == (["a", "b"], [], 4)
    written = store.write([tree("a"), tree("b")], merge)
    assert (written.added, written.unchanged, written.thoughts) == ([], ["a", "b"], 0)


def test_an_interrupt_between_two_transactions_says_what_is_stored(store, monkeypatch):
    monkeypatch.setattr(spool, "BATCH_TREES", 1)
    merged = []

    def merge(_, new):
        merged.append(new.id)
        if len(merged) == 4:  # two are rehearsed, two are stored
            raise KeyboardInterrupt
        return new

    with pytest.raises(KeyboardInterrupt) as caught:
        store.write([tree("a"), tree("b")], merge)
    assert "whole trees" in caught.value.__notes__[0]
    assert [t.id for t in store.trees()] == ["a"]


@pytest.mark.slow
@pytest.mark.parametrize("comes_back", [True, False])
def test_the_server_dies_in_the_middle_of_a_write(clean_neo4j, opened, monkeypatch, comes_back):
    server = clean_neo4j.server
    if server is None:
        pytest.skip("FOREST_TEST_NEO4J names a server that is not ours to kill")
    monkeypatch.setattr(spool, "BATCH", 300)
    store = opened(retry_seconds=60 if comes_back else 0.5)
    steps = [thought(f"Шаг {i}.", "общий", level=1) for i in range(30)]
    trees = [tree(f"t{i:03}", "Корень.", *steps) for i in range(200)]
    with ThreadPoolExecutor(1) as pool, watched(clean_neo4j) as count:
        write = pool.submit(store.write, trees, lambda _, new: new)
        until(lambda: count() > 0 or write.done())
        server.kill()
        if not comes_back:
            until(write.done)
            with pytest.raises(StoreUnavailable):
                store.get("t000")
            with pytest.raises(StoreUnavailable):
                store.cypher("RETURN 1", {})
        server.start()
        error = write.exception()
    assert error is None or isinstance(error, StoreUnavailable)
    assert error is not None or comes_back
    there = {t.id: t for t in store.trees()}
    assert there == {t.id: t for t in trees if t.id in there}
    assert len(there) == len(trees) if error is None else len(there) > 0
    assert list(store.check()) == []
    store.write(trees, lambda _, new: new)
    assert list(store.trees()) == trees
