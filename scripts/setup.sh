#!/bin/sh
# Makes .venv from the pinned, hashed files in requirements/. The Makefile calls it.
#
#   setup.sh uv|run|dev [PYTHON]   bring .venv to that level; a stamp in .venv/.setup is written last
#   setup.sh current [PYTHON]      print "yes" if .venv runs and was made by PYTHON (any, if none is named)
#
# Nothing is installed unhashed: pip checks uv against requirements/uv.txt, uv checks everything else,
# the build backend included, and the project itself is built by that backend, without a download.
set -eu
cd "$(dirname "$0")/.."

goal=$1
asked=${2:-}
venv=.venv
state=$venv/.setup
unfinished=$state/unfinished

say() { echo "setup: $*" >&2; }

die() {
  say "$*"
  exit 1
}

# Shims exist that are on PATH and fail when run, so an interpreter counts only if it answers.
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

version_of() { "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null; }

# What a virtual environment and the interpreter that made it have in common.
identity() { "$1" -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null; }

find_python() {
  without_venv=
  if [ -n "$asked" ]; then set -- "$asked"; else set -- python3 python3.13 python3.12 python3.11 python3.14 python; fi
  for candidate; do
    new_enough "$candidate" || continue
    if has_venv "$candidate"; then
      echo "$candidate"
      return
    fi
    without_venv=${without_venv:-$candidate}
  done
  if [ -n "$without_venv" ]; then
    die "$without_venv ($(version_of "$without_venv")) has no venv/ensurepip: install python3-venv" \
      "(Debian, Ubuntu: apt install python3-venv), or name another Python: make ... PYTHON=/path/to/python"
  elif [ -n "$asked" ]; then
    found=$(version_of "$asked") && found="is Python $found" || found="does not run"
    die "PYTHON=$asked $found: Python 3.11 or newer with venv is needed"
  else
    found=$(version_of python3) || found=missing
    die "no Python 3.11 or newer on PATH (python3 is $found): install one with venv" \
      "(Debian 12, Ubuntu 24.04: apt install python3 python3-venv), or name it: make ... PYTHON=/path/to/python"
  fi
}

is_current() {
  [ -x $venv/bin/python ] && new_enough $venv/bin/python || return 1
  [ -z "$asked" ] || [ "$(identity "$asked")" = "$(identity $venv/bin/python)" ]
}

if [ "$goal" = current ]; then
  if is_current; then echo yes; fi
  exit 0
fi

# A set-up under way elsewhere is waited for; one that died is thrown away, .venv and all.
while [ -s $unfinished ] && kill -0 "$(cat $unfinished)" 2>/dev/null; do
  [ -n "${told:-}" ] || say "waiting for another set-up, process $(cat $unfinished) (if there is none: rm -rf $venv)"
  told=yes
  sleep 1
done
remake=
if [ -e $unfinished ]; then
  remake="the last set-up did not finish: starting over"
elif [ -e $venv ] && ! is_current; then
  remake="$venv does not run or is of another Python: making it again"
fi
# First find an interpreter, then throw away what is there.
if [ -e $venv ] && [ -z "$remake" ]; then python=$venv/bin/python; else python=$(find_python); fi
if [ -n "$remake" ]; then
  say "$remake"
  rm -rf $venv
fi

# Packages in a .venv that came from elsewhere were not checked by us: install them again.
reinstall=
[ ! -e $venv ] || [ -e $state/ours ] || reinstall=--reinstall

mkdir -p $state
echo $$ >$unfinished
if [ "$goal" = uv ]; then rm -f $state/uv; else rm -f $state/run $state/dev; fi
if [ ! -x $venv/bin/python ]; then
  say "making $venv with $python ($(version_of "$python"))"
  "$python" -m venv $venv
  touch $state/ours
fi

if [ ! -e $state/uv ] || [ -n "$(find requirements/uv.txt -newer $state/uv)" ]; then
  $venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall \
    --require-hashes --requirement requirements/uv.txt
  touch $state/uv
fi

# A .venv of the tests has all that the demo needs, and must not be cut down to that.
if [ "$goal" = run ] && [ -e $state/dev ]; then
  touch $state/run
  goal=dev
fi
case $goal in
  uv) set -- ;;
  run) set -- requirements/run.txt requirements/build.txt ;;
  dev) set -- requirements/dev.txt ;;
  *) die "unknown goal: $goal" ;;
esac
if [ $# -gt 0 ]; then
  say "installing $*"
  uv="$venv/bin/uv --quiet --no-progress"
  $uv pip sync --python $venv/bin/python --require-hashes $reinstall "$@"
  $uv pip install --python $venv/bin/python --no-deps --no-build-isolation --offline --editable .
  touch $state/ours $state/"$goal"
fi
rm $unfinished
