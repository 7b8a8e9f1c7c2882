#!/bin/sh
# From the demo's corpus to a mask, and to the answer: does a model that was trained on it jump?
# Works in demo/, which scripts/demo.sh has made. Any step that fails fails the whole.
set -eu
cd "$(dirname "$0")/../demo"

# The model is so small that a second thread costs more than it brings.
OMP_NUM_THREADS=1
export OMP_NUM_THREADS

step() {
  echo
  echo "\$ $*"
  "$@"
}

# A model of two million weights, which has read nothing but the trees one by one: it knows islands.
step forest base prepare tiny: base --corpus corpus --steps 1000
step forest train corpus --base base --mask sample --preset tiny

echo
echo "\$ forest evaluate sample --base base --corpus corpus --only jumps --probes 40 --out report"
forest evaluate sample --base base --corpus corpus --only jumps --probes 40 --out report >/dev/null
sed '1,2d; /^## /,$d' report/report.md
sed -n '/^### held out/,/^Whatever/p' report/report.md

step forest ask "⤳ a choice closes worlds" --base base --compare base,sample --length 60

echo
echo "The report with pictures is demo/report/report.html, the mask demo/masks/sample.safetensors;"
echo "the next \`make mask\` makes all of it anew. What the figures mean: docs/training.md"
