#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   docs/generate.sh BUILD_DIR OUT_DIR
#
# Writes OUT_DIR/reference (operations, attributes and passes from TableGen, the
# tools' --help) and OUT_DIR/gallery (a picture of every example).

set -euo pipefail

build=$(realpath "$1")
target=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
llvm=/usr/lib/llvm-22

# The pages of before stay until all new ones are made.
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir "$out/reference" "$out/gallery"

tablegen() {
  "$llvm/bin/mlir-tblgen" -I . -I "$llvm/include" "$@"
}
tablegen -gen-dialect-doc -dialect=attn dialect/attn/AttnOps.td -o "$out/reference/attn.md"
tablegen -gen-dialect-doc -dialect=tile dialect/tile/TileOps.td -o "$out/reference/tile.md"
tablegen -gen-dialect-doc -dialect=nv dialect/nv/NvOps.td -o "$out/reference/nv.md"
tablegen -gen-pass-doc passes/Passes.td -o "$out/reference/passes.md"
for passes in codegen/*/Passes.td; do
  name=$(basename "$(dirname "$passes")")
  tablegen -gen-pass-doc "$passes" -o "$out/reference/passes-$name.md"
done

{
  echo "<!-- Made by docs/generate.sh; do not edit. -->"
  echo
  echo "# Command lines"
  for tool in heddle "heddle run" "heddle explain" "heddle show" "heddle compile" "heddle targets" \
    "heddle import" "heddle import mask" "heddle import minference" \
    "heddle import vertical-slash" "heddle import bsr" "heddle import flashmask" heddle-run; do
    printf '\n## `%s`\n\n```text\n' "$tool"
    # Word splitting gives program and subcommand.
    # shellcheck disable=SC2086
    (cd "$build/bin" && ./$tool --help)
    printf '```\n'
  done
} >"$out/reference/tools.md"

{
  echo "<!-- Made by docs/generate.sh; do not edit. -->"
  echo
  echo "# Gallery"
  echo
  echo "The patterns of \`examples/\`, 4096 queries (down) by 4096 keys (across) unless a"
  echo "file says otherwise, head 0, in tiles of 64 x 64. Parameters have their defaults or"
  echo "what the line \`Shown with\` of the file gives them."
  echo
  echo "Of recurrences ([linear attention](../linear.md)), what is left of every key when a"
  echo "query reads it."
  for pattern in examples/*.mlir; do
    name=$(basename "$pattern" .mlir)
    given=$(sed -n 's|^// Shown with: ||p' "$pattern")
    if [[ $given != *--shape* ]]; then
      given+=" --shape b=1,hq=8,hkv=8,sq=4096,sk=4096,d=64"
    fi
    # Options and values are words without blanks, and '[' and '*' stay as they are.
    set -f
    # shellcheck disable=SC2086
    "$build/bin/heddle" show "$pattern" --svg "$out/gallery/$name.svg" $given >/dev/null
    set +f
    what=tiles
    if grep -q '^attn.recurrence' "$pattern"; then what=decay; fi
    printf '\n## [%s](../../%s)\n\n![%s of %s](%s.svg)\n' "$name" "$pattern" "$what" "$name" "$name"
  done
} >"$out/gallery/README.md"

for pages in reference gallery; do
  rm -rf "${target:?}/$pages"
  cp -r "$out/$pages" "$target/$pages"
done
