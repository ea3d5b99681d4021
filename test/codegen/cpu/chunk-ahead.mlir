// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --attn-chunk-linear --attn-expand-tiles --tile-simplify --tile-to-cpu | FileCheck %s

// The long products of a chunk ask for the rows of the chunk after next, queries,
// keys, values and outputs, and ask for them in the first cache: of requests to the
// second one the processor drops some. The products within the chunk ask for nothing.

attn.recurrence @retnet(%log_decay: tensor<?xf32>) decay(%b, %h, %i) {
  %g = attn.at %log_decay[%h] : tensor<?xf32>
  attn.decay %g
}

// CHECK-LABEL: llvm.func internal @f_task.scores(
// CHECK-COUNT-4: "llvm.intr.prefetch"(%{{.*}}) <{cache = 1 : i32, hint = 3 : i32, rw = 0 : i32}>
// CHECK-LABEL: llvm.func internal @f_task.scores_0(
// CHECK-NOT: prefetch
// CHECK-LABEL: llvm.func internal @f_task.accumulate(
// CHECK-NOT: prefetch
// CHECK-LABEL: llvm.func internal @f_task.accumulate_0(
// CHECK-COUNT-4: "llvm.intr.prefetch"(%{{.*}}) <{cache = 1 : i32, hint = 3 : i32, rw = 0 : i32}>
// CHECK-NOT: hint = 2
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
             %v: tensor<?x?x?x64xf32>, %s: f32, %g: tensor<?xf32>)
    -> (tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>)
    attributes {tile.entry = #attn.entry<"f", @retnet, "cpu-avx512", qk = 64,
      v = 64, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 16, rows = 8, lanes = 16, unroll = 1>,
      state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @retnet(%g : tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>
    -> tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>
  return %o, %state : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>
}
