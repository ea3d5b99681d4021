#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Installs what is missing, builds Heddle and runs it: see usage() below.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

build=${HEDDLE_BUILD:-build}
llvm=/usr/lib/llvm-22
export PATH="$llvm/bin:$PATH"
# Clones in different folders share what ccache keeps.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
# What ccache wants to be told before it keeps files that use precompiled headers.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime

usage() {
  cat <<'TXT'
usage: ./heddle.sh COMMAND

  demo     build the compiler, show a pattern's picture, run its kernel and
           check the result
  test     build everything and run all tests
  check    formatting, licence lines, clang-tidy, and the error tests under the
           address and undefined-behaviour sanitizers
  build    build everything
  format   rewrite the C and C++ sources with clang-format
  docs     regenerate docs/reference and docs/gallery

Every command first installs the packages of packages.txt that are missing.

environment
  HEDDLE_BUILD  build directory (default: build)
  HEDDLE_JOBS   parallel jobs (default: one per core, fewer with little memory)
TXT
}

die() {
  echo "heddle.sh: $*" >&2
  exit 1
}

# Installs the packages of packages.txt that dpkg does not know as installed.
install_packages() {
  command -v dpkg-query >/dev/null ||
    die "this script installs packages on Debian 12; elsewhere, install what packages.txt lists and use cmake (see docs/testing.md)"
  local wanted missing=() package
  mapfile -t wanted < <(grep -v -E '^(#|$)' packages.txt)
  for package in "${wanted[@]}"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  [[ ${#missing[@]} -eq 0 ]] && return

  local root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null ||
      die "packages are missing and neither root nor sudo is at hand; as root, run: apt-get install ${missing[*]}"
    root=(sudo)
  fi
  step "package lists" "${root[@]}" apt-get update
  for package in "${missing[@]}"; do
    [[ $(apt-cache policy "$package" | awk '/Candidate:/ { print $2 }') =~ ^[0-9] ]] ||
      die "no package '$package' in the enabled suites; it comes from Debian 12 (bookworm) with its security suite, so /etc/apt/sources.list needs: deb http://deb.debian.org/debian-security bookworm-security main"
  done
  step "installing ${#missing[@]} packages" "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}"
}

# step LABEL COMMAND...: runs the command, visibly on a terminal; elsewhere its
# output is shown only when it fails.
step() {
  local label=$1
  shift
  if [[ -t 1 ]]; then
    printf '== %s\n' "$label"
    "$@"
    return
  fi
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  if [[ $status -ne 0 ]]; then
    cat "$log"
    echo "heddle.sh: $label failed with status $status" >&2
  fi
  rm -f "$log"
  return "$status"
}

# One job per core, but 2 GiB of memory for each.
jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/MemAvailable/ { print int($2 / 2097152) }' /proc/meminfo)
  [[ $memory -ge 1 ]] || memory=1
  echo "${HEDDLE_JOBS:-$((memory < cores ? memory : cores))}"
}

# configure DIRECTORY [cmake options...]: once per directory; ninja repeats it
# when it has to. Six files at a time: most of the work is reading headers.
configure() {
  local directory=$1
  shift
  [[ -f $directory/build.ninja ]] && return
  step "configuring $directory" cmake -G Ninja -S . -B "$directory" \
    -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld -DCMAKE_SHARED_LINKER_FLAGS=-fuse-ld=lld \
    -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=6 "$@"
}

build_targets() {
  configure "$build"
  step "building $build" ninja -C "$build" -j "$(jobs)" "$@"
}

demo() {
  install_packages
  build_targets heddle
  local pattern=examples/a_shape.mlir
  "$build/bin/heddle" show $pattern --shape sq=2048 --set window=512 --tile 128x128
  echo
  "$build/bin/heddle" run $pattern --shape hq=8,hkv=2,sq=2048,d=64 --set window=512 --check
}

# run_lit DIRECTORY NAME [lit options...]: the tests under build directory
# DIRECTORY, results to $results/NAME.lit.json. A hung run is ended after 20
# minutes and shows as failed.
run_lit() {
  local directory=$1 name=$2
  shift 2
  local verbosity=-q
  [[ -t 1 ]] && verbosity=-s
  rm -f "$results/$name.lit.json"
  timeout 1200 lit $verbosity -v -j "$(jobs)" "$@" \
    -o "$results/$name.lit.json" "$directory/test" ||
    echo $? >"$results/$name.lit.status"
}

# run_programs DIRECTORY PROGRAM...: GoogleTest programs, each in as many shards
# as there are jobs, so that none of them is left alone at the end; results to
# $results/DIRECTORY.PROGRAM.SHARD.gtest.json, exit status and output beside them, so
# that a program of two builds counts twice.
run_programs() {
  local directory=$1 shards
  shift
  # Every program has at least so many tests.
  shards=$(($(jobs) < 4 ? $(jobs) : 4))
  export results directory
  local -x GTEST_TOTAL_SHARDS=$shards
  [[ -t 1 ]] && printf '== running %s\n' "$*"
  local program
  for program in "$@"; do
    seq -f "$program %g" 0 $((shards - 1))
  done | xargs -P "$(jobs)" -L 1 bash -c '
    status=0 out=$results/${directory//\//-}.$0.$1
    GTEST_SHARD_INDEX=$1 timeout 1200 "$directory/bin/$0" --gtest_brief=1 \
      --gtest_output="json:$out.gtest.json" >"$out.log" 2>&1 || status=$?
    echo $status >"$out.gtest.status"'
}

# check_that NAME COMMAND...: one check, counted like one test.
check_that() {
  local name=$1
  shift
  if step "$name" "$@"; then
    echo passed >"$results/$name.check"
  else
    echo failed >"$results/$name.check"
  fi
}

new_results() {
  results=$PWD/$build/results
  # An outer run collects the results of several commands.
  if [[ -n ${HEDDLE_RESULTS:-} ]]; then
    results=$HEDDLE_RESULTS
  else
    rm -rf "$results"
  fi
  mkdir -p "$results"
}

summary() {
  python3 test/summary.py "$results"
}

run_tests() {
  install_packages
  build_targets
  new_results
  local programs
  mapfile -t programs <"$build/test/programs.txt"
  run_lit "$build" heddle
  run_programs "$build" "${programs[@]}"
  summary
}

sources() {
  git ls-files '*.c' '*.h' '*.cpp'
}

check_format() {
  sources | xargs clang-format-22 --dry-run --Werror
}

# The licence line comes first (second after #!), and no file is a burden.
check_sources() {
  local file bad=0
  while read -r file; do
    if ! head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception'; then
      echo "$file: no SPDX line at the top"
      bad=1
    fi
    if [[ $(wc -l <"$file") -gt 800 ]]; then
      echo "$file: more than 800 lines"
      bad=1
    fi
  done < <(git ls-files '*.c' '*.h' '*.cpp' '*.td' '*.py' '*.py.in' '*.sh' '*.mlir' .ci/run)
  return $bad
}

# Every translation unit of the build that is ours; headers come with them. What
# is compiled for devices is none.
check_tidy() {
  sources | grep '\.cpp$' | grep -v -E '/device/|/Inputs/device\.cpp$' | xargs python3 test/tidy.py "$build" "$(jobs)"
}

# The error tests and the runtime's tests once more, in a build with sanitizers.
run_sanitized() {
  local directory=$build/sanitize
  # Memory of LLVM's allocators is poisoned by headers and given out by the
  # libraries, which are built without sanitizers and do not lift it.
  local -x ASAN_OPTIONS=allow_user_poisoning=0
  configure "$directory" -DHEDDLE_SANITIZE=ON -DHEDDLE_BENCH=OFF \
    -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -g1"
  check_that sanitizer-build step "building $directory" \
    ninja -C "$directory" -j "$(jobs)" heddle heddle-run heddle-opt heddle-runtime-tests
  [[ $(cat "$results/sanitizer-build.check") == passed ]] || return 0
  run_lit "$directory" sanitize --filter 'error/|/invalid'
  run_programs "$directory" heddle-runtime-tests
}

check() {
  install_packages
  build_targets
  new_results
  check_that format check_format
  check_that sources check_sources
  check_that tidy check_tidy
  run_sanitized
  summary
}

docs() {
  install_packages
  build_targets heddle heddle-run
  docs/generate.sh "$build" docs
}

case ${1:-} in
demo | check | docs) "$1" ;;
test) run_tests ;;
build)
  install_packages
  build_targets
  ;;
format)
  install_packages
  sources | xargs clang-format-22 -i
  ;;
-h | --help | help) usage ;;
*)
  usage >&2
  exit 2
  ;;
esac
