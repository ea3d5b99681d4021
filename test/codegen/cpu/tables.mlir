// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Reads of run-time tables. Indices are moved into the table; lanes of a vector of
// queries gather, before the loop over the keys; what is uniform is a scalar load.

#documents = #attn.entry<"documents", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
#questions = #attn.entry<"questions", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func internal @documents.bits(
// CHECK:   %[[LAST:.*]] = arith.minsi %{{.*}} : vector<4xi64>
// CHECK:   %[[INDEX:.*]] = arith.maxsi %[[LAST]]
// CHECK:   %[[STEPS:.*]] = arith.muli %[[INDEX]]
// CHECK:   %[[AT:.*]] = llvm.getelementptr %{{.*}}[%[[STEPS]]] : (!llvm.ptr, vector<4xi64>) -> vector<4x!llvm.ptr>, i32
// CHECK:   %[[NARROW:.*]] = llvm.intr.masked.gather %[[AT]]
// CHECK:   arith.extsi %[[NARROW]] : vector<4xi32> to vector<4xi64>
// CHECK:   scf.for
// CHECK-NOT: llvm.intr.masked.gather
// CHECK:     %[[KEY:.*]] = llvm.load %{{.*}} invariant {alignment = 4 : i64} : !llvm.ptr -> i32
// CHECK:     arith.extsi %[[KEY]] : i32 to i64
// CHECK: llvm.return

func.func @documents(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: tensor<?x?xindex>)
    attributes {tile.kernel = "task", tile.entry = #documents} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<p1[b, q] - p1[b, k] in interval<0, 1>>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial)
    params(%p0, %p1 : index, tensor<?x?xindex>) : tensor<8x16xi1>
  %s = tile.fill 0.0 : tensor<8x16xf32>
  %w = tile.mask %s, %bits : tensor<8x16xf32>, tensor<8x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// Questions that take a loop are calls of the functions the caller brings along;
// several answers come through one place on the stack.
// CHECK: llvm.func hidden @questions(
// CHECK-DAG: %[[ANSWERS:.*]] = llvm.alloca %{{.*}} x i64
// CHECK: llvm.load %{{.*}} invariant {alignment = 4 : i64} : !llvm.ptr -> f32
// CHECK: llvm.call %{{.*}}(%[[TABLE:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %[[ANSWERS]]) : !llvm.ptr, (!llvm.ptr, i64, i64, i64, !llvm.ptr) -> ()
// CHECK: llvm.load %[[ANSWERS]] : !llvm.ptr -> i64
// CHECK: llvm.call %{{.*}}(%[[TABLE]], %{{.*}}) : !llvm.ptr, (!llvm.ptr, i64, i64, i64, i64, i32) -> i64
// CHECK: llvm.call %{{.*}}, %[[ANSWERS]]) : !llvm.ptr, (!llvm.ptr, i64, i64, i64, i64, i64, !llvm.ptr) -> ()
// CHECK: llvm.call %{{.*}} : !llvm.ptr, (!llvm.ptr, i64, i64) -> i64
// CHECK: llvm.call %{{.*}} : !llvm.ptr, (!llvm.ptr, i64, i64) -> i64
// CHECK: llvm.return

func.func @questions(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: tensor<?x?xindex>,
    %p2: tensor<?xf32>, %p3: !attn.set)
    attributes {tile.kernel = "task", tile.entry = #questions} {
  %c = attn.at %p2[%h] : tensor<?xf32>
  %lo, %hi = attn.span %p1[%b : %p0 to %origin] : tensor<?x?xindex>
  %next = attn.seek %p1[%b : %p0] in %lo to %hi outside : tensor<?x?xindex>
  %some, %every, %above, %below = attn.probe %p3[%b : %p0 to %next] for %lo to %hi
  %rank = attn.rank %p3[%b, %h] below %above
  %member = attn.member %rank of %p3[%b, %h]
  %row = arith.select %some, %member, %below : index
  %x = tile.load %q[%b, %h, %row] : !attn.view<8xf32> -> tensor<8x8xf32>
  %y = tile.scale %x, %c : tensor<8x8xf32>
  tile.store %y, %v[%b, %h, %row] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}
