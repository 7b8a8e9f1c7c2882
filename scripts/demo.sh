#!/bin/sh
# The whole way in one go: a sample forest, a look at it, a corpus for training.
# Works in demo/, which it replaces. Any step that fails fails the demo.
set -eu
cd "$(dirname "$0")/.."

rm -rf demo
mkdir demo
cd demo

step() {
  echo
  echo "\$ $*"
  "$@"
}

step forest init --sample
step forest list
step forest show spravedlivost
step forest stats
step forest export corpus

echo
echo "The corpus is verified as training does it; here are a path and two walks of it:"
python - <<'PYTHON'
from itertools import islice

from training.corpus import Corpus

corpus = Corpus.open("corpus")


def of_kind(kind, count):
    return islice((r for r in corpus.records("train") if r["meta"]["kind"] == kind), count)


for record in [*of_kind("path", 1), *of_kind("walk", 2)]:
    meta = record["meta"]
    print(f"\n--- {meta['kind']} through {', '.join(meta['trees'])}")
    print(record["text"])
PYTHON
echo
echo "All of it is in demo/: forest.db and corpus/. The next \`make demo\` makes it anew. Next: README.md"
