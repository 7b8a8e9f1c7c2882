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
step forest show
step forest stats
step forest export corpus

echo
echo "Three records of demo/corpus:"
records=$(sed -n '1,3p' corpus/data/train-00000.jsonl)
[ "$(echo "$records" | wc -l)" -eq 3 ]
echo "$records"
