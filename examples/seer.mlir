// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Gated blocks (Gao et al., "SeerAttention", 2024): a learned gate says for every
// block of 64 queries which blocks of 64 keys matter. Training the gate needs the
// largest weight of every block: compile with `--block-max 64x64`.
//
// Left open in the paper: a row for which the gate opens nothing. Decided: it
// keeps nothing, so o = 0 and lse = -inf. The map has an axis for heads; extent 1
// there is one gate for all. Prompts are causal by token.
//
// Shown with: --set gate=random:10%@1xhxq/64,size=k/64

attn.pattern @seer(%gate: !attn.set) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %past = arith.cmpi sge, %q, %k : index
  %row = arith.floordivsi %q, %c64 : index
  %block = arith.floordivsi %k, %c64 : index
  %open = attn.in %block, %gate[%b, %h, %row]
  %kept = arith.andi %past, %open : i1
  attn.keep %kept
}
