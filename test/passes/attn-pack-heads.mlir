// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s -attn-pack-heads -attn-normalize-pattern -split-input-file | FileCheck %s
// RUN: heddle-opt %s -attn-pack-heads -attn-normalize-pattern -attn-assign-schedule -split-input-file | FileCheck %s --check-prefix=ENTRY
// RUN: heddle-opt %s -attn-pack-heads -attn-normalize-pattern -attn-assign-schedule -attn-tile -split-input-file | FileCheck %s --check-prefix=TILE

// What is asked by head is asked by row, what is asked by query is uniform. A
// parameter that has the name of a hidden one keeps it.

// CHECK: attn.pattern @mine(%w: tensor<?xindex>, %row_head: index) keep(%b, %h, %q, %k) formula #attn.formula<q - k in interval<-inf, p0[h]>>
// CHECK: attn.pattern @mine_packed(%w: tensor<?xindex>, %row_head: index, %row_head_: index, %row_position: index, %key_begin: index, %key_end: index) keep(%b, %h, %q, %k) formula #attn.formula<all(k + p0[q + p2] in interval<p3 + 1, inf>, k in interval<p4, p5>)> {
// CHECK-NEXT: %[[HEAD:.*]] = arith.addi %row_head_, %q
// CHECK-NEXT: attn.at %w[%[[HEAD]]]
// CHECK-NEXT: arith.subi %row_position, %k
// CHECK: score(%s, %b, %h, %q, %k)
// CHECK-NEXT: %[[HEAD:.*]] = arith.addi %row_head_, %q
// CHECK-NEXT: arith.addi %[[HEAD]], %row_position
// CHECK-NOT: attn.short_queries
// CHECK: func.func @f(
// CHECK-NOT: attn.packed
// CHECK: attn.attention @mine(%{{.*}}, %{{.*}} : tensor<?xindex>, index)
// CHECK: func.func @f_packed({{.*}}%[[R:arg7]]: index, %[[P:arg8]]: index, %[[B:arg9]]: index, %[[E:arg10]]: index) -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {attn.kernel = "k", attn.level = "cpu-baseline", attn.packed}
// CHECK: attn.attention @mine_packed(%{{.*}}, %{{.*}}, %[[R]], %[[P]], %[[B]], %[[E]] : {{.*}}) {{.*}} -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
// Functions of several levels share the pattern.
// CHECK: func.func @g(
// CHECK: func.func @g_packed(
// CHECK: attn.attention @mine_packed(
// A device's code knows whether a row is whole, and stores it as it is wanted.
// CHECK: func.func @d_packed({{.*}}) -> (tensor<?x?x?x32xf16>, tensor<?x?x?xf32>)
// CHECK: attn.attention @mine_packed(
// CHECK-NOT: attn.pattern

// One kernel, each code with a schedule of its own; a schedule that was asked
// for is that of the ordinary code.
// ENTRY: func.func @f({{.*}} #attn.entry<"k", @mine, "cpu-baseline", qk = 64, v = 32, types = f16 to bf16, {{.*}}, <query_tile = 8, key_tile = 32, rows = 1, lanes = 4, unroll = 1>>}
// ENTRY: func.func @f_packed({{.*}} #attn.entry<"k", @mine_packed, "cpu-baseline", qk = 64, v = 32, types = f16 to f32, {{.*}}, <query_tile = 4, key_tile = 64, {{.*}}>, packed = true>}
// ENTRY: func.func @g({{.*}} #attn.entry<"g", @mine, {{.*}}>>}
// ENTRY: func.func @g_packed({{.*}} #attn.entry<"g", @mine_packed, {{.*}}, packed = true>}
// ENTRY: func.func @d_packed({{.*}} #attn.entry<"d", @mine_packed, "sm_80", qk = 64, v = 32, types = f16 to f16, {{.*}}, <query_tile = 16, key_tile = 64, rows = 16, {{.*}}>, packed = true>}

// A problem is checked by the ordinary code.
// TILE: func.func @f_task(
// TILE: func.func @f_check(
// TILE: func.func @f_packed_task(
// TILE: func.func @f_packed_count(
// TILE-NOT: func.func @f_packed_check(

attn.pattern @mine(%w: tensor<?xindex>, %row_head: index) keep(%b, %h, %q, %k) {
  %n = attn.at %w[%h] : tensor<?xindex>
  %d = arith.subi %q, %k : index
  %near = arith.cmpi slt, %d, %n : index
  attn.keep %near
} score(%s, %b, %h, %q, %k) {
  %x = arith.addi %h, %q : index
  %y = arith.index_cast %x : index to i64
  %f = arith.sitofp %y : i64 to f32
  %g = arith.mulf %s, %f : f32
  attn.score %g
}
func.func @f(%q: tensor<?x?x?x64xf16>, %k: tensor<?x?x?x64xf16>, %v: tensor<?x?x?x32xf16>,
             %s: f32, %o: tensor<?xindex>, %w: tensor<?xindex>, %x: index)
    -> (tensor<?x?x?x32xbf16>, tensor<?x?x?xf32>)
    attributes {attn.short_queries, attn.kernel = "k", attn.level = "cpu-baseline"} {
  %r:2 = attn.attention @mine(%w, %x : tensor<?xindex>, index) q(%q) k(%k) v(%v) scale(%s)
    origin(%o : tensor<?xindex>)
    schedule <query_tile = 8, key_tile = 32, rows = 1, lanes = 4, unroll = 1>
    : tensor<?x?x?x64xf16>, tensor<?x?x?x64xf16>, tensor<?x?x?x32xf16>
    -> tensor<?x?x?x32xbf16>, tensor<?x?x?xf32>
  return %r#0, %r#1 : tensor<?x?x?x32xbf16>, tensor<?x?x?xf32>
}
func.func @g(%q: tensor<?x?x?x64xf16>, %k: tensor<?x?x?x64xf16>, %v: tensor<?x?x?x32xf16>,
             %s: f32, %w: tensor<?xindex>, %x: index, %o: tensor<?xindex>)
    -> (tensor<?x?x?x32xf16>, tensor<?x?x?xf32>) attributes {attn.short_queries} {
  %r:2 = attn.attention @mine(%w, %x : tensor<?xindex>, index) q(%q) k(%k) v(%v) scale(%s)
    origin(%o : tensor<?xindex>)
    : tensor<?x?x?x64xf16>, tensor<?x?x?x64xf16>, tensor<?x?x?x32xf16>
    -> tensor<?x?x?x32xf16>, tensor<?x?x?xf32>
  return %r#0, %r#1 : tensor<?x?x?x32xf16>, tensor<?x?x?xf32>
}
func.func @d(%q: tensor<?x?x?x64xf16>, %k: tensor<?x?x?x64xf16>, %v: tensor<?x?x?x32xf16>,
             %s: f32, %w: tensor<?xindex>, %x: index, %o: tensor<?xindex>)
    -> (tensor<?x?x?x32xf16>, tensor<?x?x?xf32>) attributes {attn.short_queries, attn.level = "sm_80"} {
  %r:2 = attn.attention @mine(%w, %x : tensor<?xindex>, index) q(%q) k(%k) v(%v) scale(%s)
    origin(%o : tensor<?xindex>)
    : tensor<?x?x?x64xf16>, tensor<?x?x?x64xf16>, tensor<?x?x?x32xf16>
    -> tensor<?x?x?x32xf16>, tensor<?x?x?xf32>
  return %r#0, %r#1 : tensor<?x?x?x32xf16>, tensor<?x?x?xf32>
}
