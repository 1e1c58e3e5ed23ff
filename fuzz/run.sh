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

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for source in fuzz/fuzz_*.c; do
        name=${source#fuzz/fuzz_}
        targets+=("${name%.c}")
    done
fi
ninja -C build-fuzz "${targets[@]/#/fuzz/fuzz_}"

failed=0
for target in "${targets[@]}"; do
    mkdir -p "build-fuzz/corpus/$target"
    log=build-fuzz/$target.log
    if build-fuzz/fuzz/"fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="build-fuzz/$target-" "build-fuzz/corpus/$target" "fuzz/corpus/$target" >"$log" 2>&1; then
        printf '%-20s ok: %s\n' "$target" "$(grep -o 'Done [0-9]* runs' "$log" | tail -n 1)"
    else
        failed=$((failed + 1))
        tail -n 40 "$log"
        printf '%-20s FAILED: its input is build-fuzz/%s-…\n' "$target" "$target"
    fi
done
printf '%s targets, %s failed\n' "${#targets[@]}" "$failed"
[ "$failed" -eq 0 ]
