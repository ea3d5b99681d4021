// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --attn-normalize-pattern --attn-assign-schedule --attn-tile --attn-expand-tiles --tile-simplify --cse --tile-to-cpu | FileCheck %s

// While scores are computed the values of the tile are asked for and the next of
// its keys, and while the values are summed up the keys of the next tile, or behind
// a run of tiles those that the next run begins with. A row of 64 elements is four lines of the cache in f32 and
// two in bf16. Each step asks for a line of the rows that fall to its register tile;
// where several tiles of vectors would do so again and again, all are asked for at
// once instead.

attn.pattern @dense keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}

// CHECK-LABEL: llvm.func hidden @wide_task(
// CHECK: llvm.call @wide_task.scores(%{{.*}}) : (!llvm.ptr, i64, i64, !llvm.ptr, !llvm.ptr, i1, !llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr, i64, i64) -> ()
// CHECK: %[[LAST:.*]] = arith.cmpi sge, %[[NEXT:.*]], %{{.*}} : i64
// CHECK-NEXT: arith.select %[[LAST]], %{{.*}}, %[[NEXT]] : i64
// CHECK: llvm.call @wide_task.accumulate(
// CHECK-LABEL: llvm.func internal @wide_task.scores(
// CHECK: %[[ROW:.*]] = arith.divui %[[LINE:.*]], %c4_i64
// CHECK: arith.minsi %[[ROW]], %arg12
// CHECK: arith.remui %[[LINE]], %c4_i64
// CHECK: "llvm.intr.prefetch"(%{{.*}}) <{cache = 1 : i32, hint = 2 : i32, rw = 0 : i32}>
// CHECK: arith.minsi %{{.*}}, %arg2
// CHECK: "llvm.intr.prefetch"
// CHECK-LABEL: llvm.func internal @wide_task.accumulate(
// CHECK: "llvm.intr.prefetch"
func.func @wide(%q: tensor<?x1x?x64xf32>, %k: tensor<?x1x?x64xf32>,
                %v: tensor<?x1x?x64xf32>, %s: f32)
    -> (tensor<?x1x?x64xf32>, tensor<?x1x?xf32>)
    attributes {attn.level = "cpu-avx512"} {
  %o, %lse = attn.attention @dense() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x1x?x64xf32>, tensor<?x1x?x64xf32>, tensor<?x1x?x64xf32>
    -> tensor<?x1x?x64xf32>, tensor<?x1x?xf32>
  return %o, %lse : tensor<?x1x?x64xf32>, tensor<?x1x?xf32>
}

// CHECK-LABEL: llvm.func internal @narrow_task.scores(
// CHECK: %[[ROW:.*]] = arith.divui %[[LINE:.*]], %c2_i64
// CHECK: arith.remui %[[LINE]], %c2_i64
// CHECK: "llvm.intr.prefetch"
func.func @narrow(%q: tensor<?x1x?x64xbf16>, %k: tensor<?x1x?x64xbf16>,
                  %v: tensor<?x1x?x64xbf16>, %s: f32)
    -> (tensor<?x1x?x64xbf16>, tensor<?x1x?xf32>)
    attributes {attn.level = "cpu-avx512"} {
  %o, %lse = attn.attention @dense() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>
    -> tensor<?x1x?x64xbf16>, tensor<?x1x?xf32>
  return %o, %lse : tensor<?x1x?x64xbf16>, tensor<?x1x?xf32>
}

// CHECK-LABEL: llvm.func internal @parts_task.scores(
// CHECK: scf.for
// CHECK-COUNT-4: "llvm.intr.prefetch"
// CHECK: scf.for %{{.*}} iter_args
// CHECK-NOT: "llvm.intr.prefetch"
// CHECK-LABEL: llvm.func internal @parts_task.softmax_step(
func.func @parts(%q: tensor<?x1x?x64xf32>, %k: tensor<?x1x?x64xf32>,
                 %v: tensor<?x1x?x64xf32>, %s: f32)
    -> (tensor<?x1x?x64xf32>, tensor<?x1x?xf32>)
    attributes {attn.level = "cpu-avx2"} {
  %o, %lse = attn.attention @dense() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x1x?x64xf32>, tensor<?x1x?x64xf32>, tensor<?x1x?x64xf32>
    -> tensor<?x1x?x64xf32>, tensor<?x1x?xf32>
  return %o, %lse : tensor<?x1x?x64xf32>, tensor<?x1x?xf32>
}

// Between runs may be keys that nobody keeps. The next run is known before this
// one is covered, and after its last tile a line is asked for of every page that
// the next one's keys lie in, and its values.

attn.pattern @blocks(%rows: !attn.set) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %row = arith.floordivsi %q, %c64 : index
  %column = arith.floordivsi %k, %c64 : index
  %listed = attn.in %column, %rows[%row]
  attn.keep %listed
}

// CHECK-LABEL: llvm.func hidden @runs_task(
// CHECK: scf.while
// CHECK: %[[FOUND:.*]]:3 = scf.while
// CHECK: %[[BEHIND:.*]] = arith.index_cast %[[FOUND]]#0 : index to i64
// CHECK: %[[LAST:.*]] = arith.cmpi sge, %[[NEXT:.*]], %{{.*}} : i64
// CHECK-NEXT: arith.select %[[LAST]], %[[BEHIND]], %[[NEXT]] : i64
// CHECK: scf.if %[[LAST]] {
// CHECK: %[[ROWS:.*]] = arith.divui %c4096_i64, %{{.*}} : i64
// CHECK: arith.cmpi sgt, %[[ROWS]], %c1_i64
// CHECK: scf.for
// CHECK: "llvm.intr.prefetch"
// CHECK: scf.for
// CHECK: "llvm.intr.prefetch"
// CHECK: llvm.call @runs_task.accumulate(
// CHECK: scf.yield %[[FOUND]]#0, %[[FOUND]]#1, %[[FOUND]]#2 : index, index, i32
func.func @runs(%q: tensor<?x1x?x64xf32>, %k: tensor<?x1x?x64xf32>,
                %v: tensor<?x1x?x64xf32>, %s: f32, %rows: !attn.set)
    -> (tensor<?x1x?x64xf32>, tensor<?x1x?xf32>)
    attributes {attn.level = "cpu-avx512"} {
  %o, %lse = attn.attention @blocks(%rows : !attn.set) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x1x?x64xf32>, tensor<?x1x?x64xf32>, tensor<?x1x?x64xf32>
    -> tensor<?x1x?x64xf32>, tensor<?x1x?xf32>
  return %o, %lse : tensor<?x1x?x64xf32>, tensor<?x1x?xf32>
}
