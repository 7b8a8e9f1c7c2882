"""Scripts of Cypher: taken apart, run in order, and told what they did."""

from __future__ import annotations

import io
import json
import sys

import pytest

from forest.cli import main
from forest.errors import UsageError
from forest.stores.neo4j.script import statements

SCRIPT = """\
// A comment; with a semicolon.
CREATE (:Note {text: 'a; b \\'; c'}), (:Note {`odd;name`: "x;"})-[:SEE]->(:Note);

/* ; */ MATCH (n:Note)
RETURN count(n) AS n;;
RETURN 'я' AS n // the end;
"""


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("", []),
        ("// a; b\n/* c; */ ;;\n", []),
        ("RETURN 1", [(1, "RETURN 1")]),
        ("RETURN 4 / 2; RETURN 'http://x;y';", [(1, "RETURN 4 / 2"), (1, "RETURN 'http://x;y'")]),
        ("\n\nA /* ;\n */ B;\r\n// c\r\nC", [(3, "A /* ;\n */ B"), (6, "C")]),
        ("RETURN 'a\\\\'; RETURN `b\\`;", [(1, "RETURN 'a\\\\'"), (1, "RETURN `b\\`")]),
        ('RETURN "a\nb;"; C', [(1, 'RETURN "a\nb;"'), (2, "C")]),
    ],
)
def test_a_script_is_taken_apart_at_its_semicolons(script, found):
    assert [(line, text.strip()) for line, text in statements(script)] == found


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("RETURN 1;\n  :param x => 1;\n", "line 2 .*:param is a command of Neo4j's shell"),
        (":use neo4j\nRETURN 1;", "line 1 .*:use"),
        ("RETURN 1;\nRETURN 'a;\n", "line 2 .*what begins with ' does not end"),
        ("RETURN 1;\n\n/* RETURN 2;", r"line 3 .*what begins with /\* does not end"),
    ],
)
def test_what_is_no_statement_is_named_with_its_line(script, message):
    with pytest.raises(UsageError, match=message):
        statements(script)


@pytest.fixture
def cypher(clean_neo4j, tmp_path, monkeypatch, capsys):
    """Runs `forest cypher …`; gives (exit code, what it printed, what it said beside)."""
    monkeypatch.setenv("NEO4J_USERNAME", clean_neo4j.username)
    monkeypatch.setenv("NEO4J_PASSWORD", clean_neo4j.password)
    monkeypatch.chdir(tmp_path)

    def call(*arguments, script=""):
        (tmp_path / "script.cypher").write_text(script, encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(script.encode())))
        with pytest.raises(SystemExit) as ended:
            main(["--store", clean_neo4j.url, "cypher", *arguments])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.mark.neo4j
@pytest.mark.parametrize("file", ["script.cypher", "-"])
def test_every_statement_is_run_and_says_what_it_did(cypher, file):
    code, out, err = cypher("--file", file, script=SCRIPT)
    assert (code, out) == (0, "n\n3\nn\nя\n")
    assert "nodes created: 3" in err
    assert "relationships created: 1" in err
    _, out, err = cypher(
        "--json", "-p", "query=1", "MATCH (n:Note) SET n.x = $query; RETURN 1 AS n"
    )
    assert (json.loads(out), err) == ([{"n": 1}], "properties set: 3\n")
    assert cypher("MATCH (n:Nothing) RETURN n")[1:] == ("", "no rows\n")


@pytest.mark.neo4j
def test_an_error_names_the_statement_and_what_was_done(cypher):
    script = "CREATE (:Tree {id: 'a'});\n\nCREATE (:Tree\n {id: 'a'});\nCREATE (:Note);"
    code, _, err = cypher("--file", "script.cypher", script=script)
    assert code == 1
    assert "statement 2, which begins in line 3 of the script: Neo4j refuses" in err
    assert "What stands before it in the script was carried out." in err
    count = "MATCH (n) WHERE n:Tree OR n:Note RETURN labels(n)[0] AS l"
    assert cypher(count)[1] == "l\nTree\n"
    assert cypher("--file", "script.cypher", script="CREATE (:Note);\n:commit\n")[0] == 2
    assert cypher(count)[1] == "l\nTree\n"
    assert "statement" not in cypher("RETURN nothing")[2]


@pytest.mark.neo4j
def test_a_file_that_is_no_text_is_named(cypher, tmp_path):
    (tmp_path / "old.cypher").write_bytes("RETURN 'я'".encode("cp1251"))
    code, _, err = cypher("--file", "old.cypher")
    assert code == 2
    assert "old.cypher: it is not UTF-8" in err
