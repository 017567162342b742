#!/usr/bin/env bash
# Makes the tables and plots of docs/EXPERIMENTS.md anew: all of them, or those that are named.
#
#   docs/experiments/make.sh                  all: some hours
#   docs/experiments/make.sh detect pause     these
#   THREADS=1 docs/experiments/make.sh        on one core; no result but those of `scale` changes
#
# Each run of `detect-large` takes 10 GB, and as many go on at once as there are threads.
# The text around the tables is written by hand: look whether it still says what they show.
set -euo pipefail
cd "$(dirname "$0")/../.."
page=docs/EXPERIMENTS.md
folder=docs/experiments

names=(detect detect-large interval interval-stuck threshold pause loss churn partition scale ablations known-bugs)

# The experiments of a name, one after the other.
experiments() {
    case "$1" in
        ablations) echo ablations-{detect,detect-fast,interval,pause,loss,partition} ;;
        *) echo "$1" ;;
    esac
}

arguments() {
    case "$1" in
        detect) echo detect --nodes 32,128,1000 --runs 100 --seed 1 ;;
        detect-large) echo detect --nodes 10000 --runs 10 --variants swimmer --seed 1 ;;
        interval) echo interval --grid full --runs 1 --seed 1 ;;
        interval-stuck) echo interval --grid short --runs 3 --block stuck --seed 1 ;;
        threshold) echo threshold --blocked 1,8,32 --durations 4096,8192,10240,12288,16384,32768 --runs 10 --seed 1 ;;
        pause) echo pause --runs 20 --seed 1 ;;
        loss) echo loss --seed 1 ;;
        churn) echo churn --runs 2 --seed 1 ;;
        partition) echo partition --variants lifeguard,swimmer --seed 1 ;;
        scale) echo scale --seed 1 ;;
        ablations-detect) echo detect --ablations --nodes 128 --runs 100 --seed 1 ;;
        ablations-detect-fast) echo detect --ablations --profile fast --nodes 128 --runs 100 --seed 1 ;;
        ablations-interval) echo interval --ablations --grid short --runs 1 --seed 1 ;;
        ablations-pause) echo pause --ablations --lengths 3,5,10 --runs 10 --seed 1 ;;
        ablations-loss) echo loss --ablations --losses 20 --rapid-nodes 0 --seed 1 ;;
        ablations-partition) echo partition --ablations --durations 10,60 --crash-nodes 8,128 --runs 5 --seed 1 ;;
        *)
            echo "no experiment '$1'; there are: ${names[*]}" >&2
            return 1
            ;;
    esac
}

# What the plot of an experiment shows, for those who do not see it. One without a title has no plot.
title() {
    case "$1" in
        detect) echo From a crash until it is known ;;
        detect-large) echo The same at 10,000 members ;;
        interval) echo The Interval experiment ;;
        interval-stuck) echo The Interval experiment, each sender stuck with one message ;;
        threshold) echo The Threshold experiment ;;
        pause) echo Pauses ;;
        loss) echo Lost packets ;;
        churn) echo Members come and go ;;
        partition) echo Partitions and mass failure ;;
        scale) echo Large clusters ;;
    esac
}

# Puts a file in the place of what stands between the two marks of a name.
splice() {
    grep -qxF "<!-- $1 -->" "$page" && grep -qxF "<!-- end of $1 -->" "$page" || {
        echo "$page has no place for '$1'" >&2
        return 1
    }
    awk -v from="<!-- $1 -->" -v to="<!-- end of $1 -->" -v file="$2" '
        $0 == to { inside = 0 }
        !inside { print }
        $0 == from { inside = 1; while ((getline line < file) > 0) print line }
    ' "$page" >"$page.new"
    mv "$page.new" "$page"
}

known_bugs() {
    local command="cargo test --release --locked -p swim-sim --test known_bugs -- --nocapture --test-threads 1"
    printf '\n```sh\n%s\n```\n\n| bug put back | found by seed |\n|---|---:|\n' "$command"
    $command 2>&1 | awk '
        /^test .* \.\.\. / { name = $2; gsub("_", " ", name); sub(" (is|are) found", "", name) }
        match($0, /Some\([0-9]+\)/) { print "| " name " | " substr($0, RSTART + 5, RLENGTH - 6) " |" }
    '
    echo
}

# Runs one experiment and writes what the page shows of it.
table() {
    local words title files
    words=$(arguments "$1")
    title=$(title "$1")
    files="--json $folder/$1.json"
    [ -z "$title" ] || files+=" --svg $folder/$1.svg"
    printf '```sh\nswim-sim %s\n```\n\n' "$words"
    # shellcheck disable=SC2086
    cargo run --release --locked --quiet -p swim-sim -- $words $files --threads "${THREADS:-0}"
    [ -z "$title" ] || printf '![%s](experiments/%s.svg)\n\n' "$title" "$1"
}

cargo build --release --locked -p swim-sim
text=$(mktemp)
trap 'rm -f "$text"' EXIT
[ $# -gt 0 ] || set -- "${names[@]}"
for name in "$@"; do
    echo "== $name"
    if [ "$name" = known-bugs ]; then
        known_bugs >"$text"
    else
        echo >"$text"
        for experiment in $(experiments "$name"); do
            table "$experiment" >>"$text"
        done
    fi
    splice "$name" "$text"
done
