// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Core tokens before a window (Chen et al., "Core context aware transformers", 2024):
// the tokens of a window as they are, and before it one pooled key and value for
// every group of 16, all under one softmax.
//
// Left open in the paper: groups that the window cuts. Decided: the window reaches
// back to the beginning of the group it starts in, so that every earlier token is in
// exactly one complete group. Core key j stands for tokens [16 j, 16 j + 16) and is
// the second source; pooling is not part of the pattern.
//
// Shown with: --pattern cca_window

attn.combine @cca_core [@cca_window, @cca_groups]

attn.pattern @cca_window(%window: index = 256) keep(%b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %reach = arith.subi %window, %c1 : index
  %back = arith.subi %q, %reach : index
  %start = arith.maxsi %back, %c0 : index
  %group = arith.floordivsi %start, %c16 : index
  %mine = arith.floordivsi %k, %c16 : index
  %near = arith.cmpi sge, %mine, %group : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
}

attn.pattern @cca_groups(%window: index = 256) keep(%b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %reach = arith.subi %window, %c1 : index
  %back = arith.subi %q, %reach : index
  %start = arith.maxsi %back, %c0 : index
  %group = arith.floordivsi %start, %c16 : index
  %before = arith.cmpi slt, %k, %group : index
  attn.keep %before
}
