#!/usr/bin/env bash
# The whole story of templates/demo.story on the embedded store, in about a minute. Prints what it says and each command
# that it runs, so that it is the tutorial too: COUNT customers (200,000). With --script the commands are printed and
# nothing is run: what somebody would paste into a shell.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
script=
[ "${1:-}" = --script ] && script=1 && shift
count=${1:-200000}
build=${SLUICE_BUILD:-$here/../../build}

fail() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# Blocks are parted by blank lines; those of a here-document belong to it. What is marked `#@ alone` is for `sluice demo`, which
# has neither an application beside it nor somebody who counts.
story() {
    sed -e "s/@COUNT@/$count/g" -e "s/@RATE@/$((count / 5))/g" -e "s/@PART@/$((count / 40))/g" -e "s/@STEP@/$((count / 200))/g" "$here/../../templates/demo.story"
}

# say_and_run BLOCK: what stands behind # is said, `#? N` is the exit status that is expected.
say_and_run() {
    local said command wanted status=0
    [[ $1 != '#@ alone'* ]] || return 0
    said=$(grep -E '^# ' <<<"$1" || true)
    wanted=$(sed -n 's/^#? //p' <<<"$1")
    command=$(grep -vE '^#[ ?@]' <<<"$1" || true)
    [ -z "$said" ] || printf '\n%s\n' "$said"
    [ -n "$command" ] || return 0
    printf '$ %s\n' "$command"
    eval "$command" || status=$?
    [ "$status" -eq "${wanted:-0}" ] || fail "it ended with $status, not ${wanted:-0}"
}

if [ -n "$script" ]; then
    story | sed '/^#@ alone$/,/^$/d' | grep -vE '^#[ ?@]'
    exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
PATH=$build:$build/tests/tools:$PATH
cp "$here/check.py" "$work"
story >"$work/story"
cd "$work"
block=
inside=
while IFS= read -r line <&9; do
    [[ $line == *"<<'END'" ]] && inside=1
    [ "$line" = END ] && inside=
    if [ -z "$line" ] && [ -z "$inside" ]; then
        say_and_run "$block"
        block=
    else
        block+="${block:+$'\n'}$line"
    fi
done 9<story
say_and_run "$block"
printf '\n# Done. What to look at next:\n  sluice init, sluice help, sluice explain\n'
printf '  docs/spec.md, docs/stages.md, docs/transforms.md, docs/contracts.md; ARCHITECTURE.md\n'
