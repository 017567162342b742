#!/usr/bin/env bash
# Makes tables and plots of docs/*.md anew: those that are older than the sources, or not made yet.
#
#   docs/experiments/make.sh                  all that are older: some hours
#   docs/experiments/make.sh detect pause     of these those that are older
#   docs/experiments/make.sh --again detect   these, older or not
#   docs/experiments/make.sh --stale          names those that are older, and makes none
#   THREADS=1 docs/experiments/make.sh        on one core; no result but those of `scale` changes
#
# A table is in the page, and its JSON and plot beside this script, as soon as it is finished. If the
# script is ended, it goes on with the next table when it is started again. Above each table stands a
# hash of the simulator's and the nodes' sources and of the arguments with which it was made.
# The simulator is built once, so that sources can change while tables are made.
#
# Each run of `detect-large` takes 10 GB, and as many go on at once as there are threads.
# The text around the tables is written by hand: look whether it still says what they show.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=docs/experiments

ablations=(ablations-{conditions,detect,detect-fast,interval,pause,loss,partition})
names=(conditions detect detect-large few-loss few-slow interval interval-600 interval-stuck threshold pause loss churn partition scale
    "${ablations[@]}" known-bugs)

# What decides the figures: all that runs in a simulation, and the dependencies.
sources=(crates/{swim-proto,swim-dissemination,swim-membership,swimmer,swim-sim}/src Cargo.lock)

arguments() {
    case "$1" in
        conditions) echo conditions --runs 2 --time 325 --crash-every 25 --variants memberlist,lifeguard,swimmer --seed 7 ;;
        detect) echo detect --nodes 2,3,4,5,8,32,128,1000 --runs 100 --seed 1 ;;
        detect-large) echo detect --nodes 10000 --runs 10 --variants swimmer --seed 1 ;;
        few-loss) echo detect --nodes 2,3,4,5,8 --loss 20 --runs 100 --variants memberlist,lifeguard,swimmer --seed 1 ;;
        few-slow) echo conditions --nodes 3 --scenes slow-sync:50,slow-random:50,starved:50,block-random:50 --runs 50 --time 185 --crash-every 90 --variants memberlist,lifeguard,swimmer --seed 1 ;;
        interval) echo interval --grid full --runs 1 --variants lifeguard,swimmer --seed 1 ;;
        interval-600) echo interval --grid full --time 600 --runs 1 --variants lifeguard,swimmer --seed 1 ;;
        interval-stuck) echo interval --grid short --runs 3 --block stuck --seed 1 ;;
        threshold) echo threshold --blocked 1,8,32 --durations 4096,8192,10240,12288,16384,32768 --runs 10 --seed 1 ;;
        pause) echo pause --runs 20 --seed 1 ;;
        loss) echo loss --seed 1 ;;
        churn) echo churn --runs 2 --seed 1 ;;
        partition) echo partition --variants lifeguard,swimmer --seed 1 ;;
        scale) echo scale --seed 1 ;;
        ablations-conditions) echo conditions --ablations --scenes loss:20,loss:40,rtt:1.2,starved:50,gc:30,udp-dead:10 --time 325 --crash-every 25 --seed 7 ;;
        ablations-detect) echo detect --ablations --nodes 128 --runs 100 --seed 1 ;;
        ablations-detect-fast) echo detect --ablations --profile fast --nodes 128 --runs 100 --seed 1 ;;
        ablations-interval) echo interval --ablations --grid short --runs 1 --seed 1 ;;
        ablations-pause) echo pause --ablations --lengths 3,5,10 --runs 10 --seed 1 ;;
        ablations-loss) echo loss --ablations --losses 20 --rapid-nodes 0 --seed 1 ;;
        ablations-partition) echo partition --ablations --durations 10,60 --crash-nodes 8,128 --runs 5 --seed 1 ;;
        known-bugs) echo test --release --locked -p swim-sim --test known_bugs -- --nocapture --test-threads 1 ;;
    esac
}

# What the plot of an experiment shows, for those who do not see it. One without a title has no plot.
title() {
    case "$1" in
        detect) echo From a crash until it is known ;;
        detect-large) echo The same at 10,000 members ;;
        interval) echo The Interval experiment ;;
        interval-600) echo The Interval experiment for ten minutes ;;
        interval-stuck) echo The Interval experiment, each sender stuck with one message ;;
        threshold) echo The Threshold experiment ;;
        pause) echo Pauses ;;
        loss) echo Lost packets ;;
        churn) echo Members come and go ;;
        partition) echo Partitions and mass failure ;;
        scale) echo Large clusters ;;
    esac
}

# A hash of all lines of the sources, except those that are only a comment: it needs no git, and is
# the same in each checkout.
hash_of_sources() {
    find "${sources[@]}" -type f \( -name '*.rs' -o -name Cargo.lock \) | LC_ALL=C sort |
        while IFS= read -r file; do
            echo "$file"
            sed -E '/^[[:space:]]*\/\//d' "$file"
        done | sha256sum | cut -c 1-64
}

# The hash of a table: of the sources, whose hash is given, and of its arguments.
hash_of_table() {
    printf '%s\n%s\n' "$2" "$(arguments "$1")" | sha256sum | cut -c 1-16
}

# The page that has a place for a table.
page_of() {
    local page
    page=$(grep -lxF "<!-- $1 -->" docs/*.md) && [ "$(wc -l <<<"$page")" = 1 ] &&
        grep -qxF "<!-- end of $1 -->" "$page" || {
        echo "not one page has a place for '$1'" >&2
        return 1
    }
    echo "$page"
}

# The hash that stands above a table; nothing if there is none.
hash_in_page() {
    local page
    page=$(page_of "$1")
    awk -v from="<!-- $1 -->" -v to="<!-- end of $1 -->" '
        $0 == to { inside = 0 }
        inside && $1 == "<!--" && $2 == "sources" { print $3; exit }
        $0 == from { inside = 1 }
    ' "$page"
}

# Puts a file in the place of what stands between the two marks of a table.
splice() {
    local page
    page=$(page_of "$1")
    awk -v from="<!-- $1 -->" -v to="<!-- end of $1 -->" -v file="$2" '
        $0 == to { inside = 0 }
        !inside { print }
        $0 == from { inside = 1; while ((getline line < file) > 0) print line }
    ' "$page" >"$page.new"
    mv "$page.new" "$page"
}

known_bugs() {
    local command
    command="cargo $(arguments known-bugs)"
    printf '```sh\n%s\n```\n\n| bug put back | found by seed |\n|---|---:|\n' "$command"
    $command 2>&1 | awk '
        /^test .* \.\.\. / { name = $2; gsub("_", " ", name); sub(" (is|are) found", "", name) }
        match($0, /Some\([0-9]+\)/) { print "| " name " | " substr($0, RSTART + 5, RLENGTH - 6) " |" }
    '
    echo
}

# Runs one experiment and writes what a page shows of it.
table() {
    local words title files
    words=$(arguments "$1")
    title=$(title "$1")
    files="--json $scratch/$1.json"
    [ -z "$title" ] || files+=" --svg $scratch/$1.svg"
    printf '```sh\nswim-sim %s\n```\n\n' "$words"
    # shellcheck disable=SC2086
    "$scratch/swim-sim" $words $files --threads "${THREADS:-0}"
    [ -z "$title" ] || printf '![%s](experiments/%s.svg)\n\n' "$title" "$1"
}

# Makes one table and puts it, its JSON and its plot in their places.
make_table() {
    local hash
    if [ "$1" = known-bugs ]; then
        # Cargo builds this test when it runs, from the sources as they are then.
        hash=$(hash_of_table "$1" "$(hash_of_sources)")
        known_bugs >"$scratch/text"
    else
        hash=$(hash_of_table "$1" "$built_from")
        table "$1" >"$scratch/text"
    fi
    printf '\n<!-- sources %s -->\n\n' "$hash" | cat - "$scratch/text" >"$scratch/block"
    find "$scratch" -name "$1.*" -exec cp {} "$folder" \;
    splice "$1" "$scratch/block"
}

# Builds the simulator and keeps it.
build() {
    built_from=$(hash_of_sources)
    cargo build --release --locked -p swim-sim
    cp "${CARGO_TARGET_DIR:-target}/release/swim-sim" "$scratch"
    [ "$(hash_of_sources)" = "$built_from" ] || {
        echo "the sources changed while they were built" >&2
        return 1
    }
}

action=older
case "${1:-}" in
    --again | --stale)
        action=${1#--}
        shift
        ;;
    -*)
        sed -n '2,/^set/{/^#/p}' "$folder/make.sh"
        exit 2
        ;;
esac
[ $# -gt 0 ] || set -- "${names[@]}"
wanted=()
for name in "$@"; do
    if [ "$name" = ablations ]; then
        wanted+=("${ablations[@]}")
    elif [ -n "$(arguments "$name")" ]; then
        wanted+=("$name")
    else
        echo "no table '$name'; there are: ${names[*]}, and ablations for all of these" >&2
        exit 2
    fi
done

now=$(hash_of_sources)
older=()
for name in "${wanted[@]}"; do
    page_of "$name" >/dev/null
    if [ "$action" = again ] || [ "$(hash_in_page "$name")" != "$(hash_of_table "$name" "$now")" ]; then
        older+=("$name")
    fi
done
if [ ${#older[@]} = 0 ]; then
    echo "no table is older than the sources"
    exit
elif [ "$action" = stale ]; then
    echo "older than the sources, or made with other arguments (docs/experiments/make.sh makes them anew):"
    printf '  %s\n' "${older[@]}"
    exit
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
build
for name in "${older[@]}"; do
    echo "== $name"
    make_table "$name"
done
