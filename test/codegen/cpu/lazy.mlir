// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --attn-normalize-pattern --attn-assign-schedule --attn-tile --attn-expand-tiles --tile-simplify --cse --tile-to-cpu | FileCheck %s

// Full tiles of scores become weights as soon as a register tile is done: where m
// is known (above -infinity) and unless a sum of weights is too large or NaN.
// Else the scores are computed anew by the same procedure, told to leave them as
// they are, as for partial tiles; the step follows, and the sums are scaled. The
// product that adds to them has no factor to load. Who wants the largest scores
// gets them as ever.

attn.pattern @causal keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}

// CHECK-LABEL: llvm.func hidden @lazy_task(
// CHECK: scf.for
// CHECK-COUNT-3: arith.cmpf ogt, %{{.*}}, %[[MINUS:.*]] : vector<16xf32>
// CHECK: %[[DONE:.*]] = scf.if %{{.*}} -> (i1) {
// CHECK: llvm.call @lazy_task.scores(%{{[^,]*}}, %{{[^,]*}}, %{{[^,]*}}, %{{[^,]*}}, %[[P:[^,]*]], %false, %[[M:[^,]*]], %[[SUMS:[^,]*]],
// CHECK-COUNT-3: arith.cmpf ole
// CHECK: } else {
// CHECK: scf.yield %false
// CHECK: scf.if %[[DONE]] {
// CHECK-COUNT-3: arith.addf
// CHECK: } else {
// CHECK: llvm.call @lazy_task.scores(%{{[^,]*}}, %{{[^,]*}}, %{{[^,]*}}, %{{[^,]*}}, %[[P]], %true,
// CHECK: llvm.call @lazy_task.softmax_step(%[[P]], %[[M]], %[[L:.*]], %[[P]], %[[M]], %[[L]], %[[SUMS]], %c0_i64, %c64_i64, %[[MARGIN:.*]]) :
// CHECK: llvm.call @lazy_task.scale_0(%[[O:.*]], %[[SUMS]], %[[O]]) :
// CHECK: llvm.call @lazy_task.accumulate(%{{[^,]*}}, %{{[^,]*}}, %[[P]], %[[O]], %[[O]],
// CHECK: scf.for
// A partial tile asks for its bits first, and looks only at keys between the
// first and the last that a query keeps.
// CHECK: llvm.call @lazy_task.bits(
// CHECK: %[[LIVE:.*]]:2 = scf.for
// CHECK: llvm.call @lazy_task.scores({{.*}}, %true, %{{[^,]*}}, %{{[^,]*}}, %[[LIVE]]#0, %[[LIVE]]#1,
// CHECK: llvm.call @lazy_task.softmax_step({{.*}}, %[[LIVE]]#0, %[[LIVE]]#1, %[[MARGIN]]) :
// CHECK: llvm.call @lazy_task.accumulate_0({{.*}}, %[[LIVE]]#0, %[[LIVE]]#1,

// One procedure: each register tile is stored, and unless told otherwise its
// rows become weights there.
// CHECK-LABEL: llvm.func internal @lazy_task.scores(
// CHECK-COUNT-24: llvm.store
// CHECK: scf.if %arg5 {
// CHECK-NEXT: } else {
// CHECK: scf.for
// CHECK-COUNT-3: llvm.intr.roundeven
// CHECK-NOT: llvm.intr.roundeven
// CHECK-NOT: @lazy_task.scores_0

// CHECK-LABEL: llvm.func hidden @largest_task(
// CHECK-NOT: arith.cmpf ole
// CHECK: llvm.call @largest_task.scores(
// CHECK-NEXT: llvm.call @largest_task.softmax_step({{.*}}, %c0_i64, %c64_i64) :

func.func @lazy(%q: tensor<?x1x?x64xf32>, %k: tensor<?x1x?x64xf32>,
                %v: tensor<?x1x?x64xf32>, %s: f32)
    -> (tensor<?x1x?x64xf32>, tensor<?x1x?xf32>)
    attributes {attn.level = "cpu-avx512"} {
  %o, %lse = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x1x?x64xf32>, tensor<?x1x?x64xf32>, tensor<?x1x?x64xf32>
    -> tensor<?x1x?x64xf32>, tensor<?x1x?xf32>
  return %o, %lse : tensor<?x1x?x64xf32>, tensor<?x1x?xf32>
}

func.func @largest(%q: tensor<?x1x?x64xf32>, %k: tensor<?x1x?x64xf32>,
                   %v: tensor<?x1x?x64xf32>, %s: f32)
    -> (tensor<?x1x?x64xf32>, tensor<?x1x?xf32>, tensor<?x1x?xf32>)
    attributes {attn.level = "cpu-avx512"} {
  %o, %lse, %max = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s)
    outputs <row_max = true, column_sums = false, block_max = 0 by 0>
    : tensor<?x1x?x64xf32>, tensor<?x1x?x64xf32>, tensor<?x1x?x64xf32>
    -> tensor<?x1x?x64xf32>, tensor<?x1x?xf32>, tensor<?x1x?xf32>
  return %o, %lse, %max
    : tensor<?x1x?x64xf32>, tensor<?x1x?xf32>, tensor<?x1x?xf32>
}
