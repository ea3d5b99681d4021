// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Conditions on parameters, and bounds on the indices of every read.
//
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --cse --split-input-file --verify-diagnostics | FileCheck %s
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --attn-expand-tiles --tile-simplify --split-input-file --verify-diagnostics -o /dev/null

// CHECK-LABEL: func.func @f_check(
// CHECK-SAME: %[[Q:[^:]+]]: !attn.view<64xf32>, %[[K:[^:]+]]: !attn.view<64xf32>, {{.*}} %[[ORIGIN:[^:]+]]: index, %{{[^:]+}}: f32, %[[WINDOW:[^:]+]]: index, %[[DOC:[^:]+]]: tensor<?x?xindex>, %[[BIAS:[^:]+]]: tensor<?xf32>) -> (index, index, index, index)
// CHECK: %[[N:.*]] = tile.dim position of %[[K]]
// The condition of the applied pattern, on what it is applied to.
// CHECK: %[[WIDE:.*]] = arith.cmpi sle, %[[WINDOW]], %[[N]]
// CHECK: %[[BAD:.*]] = arith.xori %[[WIDE]]
// Batches.
// CHECK: %[[BATCH:.*]] = tile.dim batch of %[[Q]]
// CHECK: attn.extent 0 of %[[DOC]]
// Queries begin at the origin, keys at 0.
// CHECK: %[[LQ:.*]] = tile.dim position of %[[Q]]
// CHECK: %[[END:.*]] = arith.addi %[[ORIGIN]], %[[LQ]]
// CHECK: %[[LASTQ:.*]] = arith.subi %[[END]]
// CHECK: %[[KEYS:.*]] = attn.extent 1 of %[[DOC]]
// CHECK: arith.cmpi slt, %[[ORIGIN]]
// CHECK: arith.cmpi sle, %[[KEYS]], %[[LASTQ]]
// An element of a table as an index: its bounds over all that can be asked for.
// CHECK: scf.for %[[ROW:[^ ]+]] =
// CHECK: attn.span %[[DOC]][%[[ROW]] :
// CHECK: attn.extent 0 of %[[BIAS]]
// The first check that fails is the answer.
// CHECK: %[[FIRST:.*]] = arith.select %[[BAD]], %{{.*}}, %{{.*}} : index
// CHECK: return %[[FIRST]]
attn.pattern @near(%window: index) keep(%b, %h, %q, %k) {
  %n = attn.num_keys
  %fits = arith.cmpi sle, %window, %n : index
  attn.require %fits, "the window is larger than the sequence"
  %d = arith.subi %q, %k : index
  %near = arith.cmpi slt, %d, %window : index
  attn.keep %near
}
attn.pattern @p(%window: index, %doc: tensor<?x?xindex>, %bias: tensor<?xf32>)
    keep(%b, %h, %q, %k) {
  %near = attn.apply @near(%window : index) at(%b, %h, %q, %k)
  %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
  %j = attn.at %doc[%b, %k] : tensor<?x?xindex>
  %same = arith.cmpi eq, %i, %j : index
  %kept = arith.andi %same, %near : i1
  attn.keep %kept
} score(%s, %b, %h, %q, %k) {
  %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
  %x = attn.at %bias[%i] : tensor<?xf32>
  %y = arith.addf %s, %x : f32
  attn.score %y
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: index, %p1: tensor<?x?xindex>, %p2: tensor<?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @p(%p0, %p1, %p2 : index, tensor<?x?xindex>, tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// A condition that cannot fail, and an index that cannot leave its table: bounds
// are points where nothing varies, and fold.
// CHECK-LABEL: func.func @f_check(
// CHECK: %[[PASSED:.*]] = arith.constant 0 : index
// CHECK: return %[[PASSED]], %[[PASSED]], %[[PASSED]], %[[PASSED]]
attn.pattern @p(%unused: index) keep(%b, %h, %q, %k) {
  %c8 = arith.constant 8 : index
  %c9 = arith.constant 9 : index
  %less = arith.cmpi slt, %c8, %c9 : index
  attn.require %less, "never said"
  %true = arith.constant true
  attn.keep %true
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: index)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @p(%p0 : index) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}
