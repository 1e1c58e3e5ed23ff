#!/usr/bin/env bash
# Fuzzes each target for so many seconds: `./dev fuzz [SECONDS] [TARGET...]`. What is found is written to build-fuzz/; put
# it into fuzz/corpus/TARGET/ once it is mended. New inputs that reach new code go to build-fuzz/corpus/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=20
case ${1:-} in
[0-9]*)
    seconds=$1
    shift
    ;;
esac

ninja -C build-fuzz
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for program in build-fuzz/fuzz/fuzz_*; do
        [ -f "$program" ] && [ -x "$program" ] && targets+=("${program##*/fuzz_}")
    done
fi

failed=0
for target in "${targets[@]}"; do
    mkdir -p "build-fuzz/corpus/$target"
    printf '== %s, %s s\n' "$target" "$seconds"
    build-fuzz/fuzz/"fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
        -verbosity=0 -artifact_prefix="build-fuzz/$target-" "build-fuzz/corpus/$target" "fuzz/corpus/$target" ||
        { failed=$((failed + 1)) && printf '== %s: failed; its input is build-fuzz/%s-…\n' "$target" "$target"; }
done
printf '%s targets, %s failed\n' "${#targets[@]}" "$failed"
[ "$failed" -eq 0 ]
