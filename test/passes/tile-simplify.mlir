// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Where the status is known to be full, masks, `where` and counts are not needed;
// where it is partial or unknown, they stay.
//
// RUN: heddle-opt %s --tile-simplify | FileCheck %s

// CHECK-LABEL: func.func @full
// CHECK-SAME: %[[S:[^:]+]]: tensor<48x64xf32>, %[[O:[^:]+]]: tensor<48x32xf32>, %[[V:[^:]+]]: tensor<64x32xf32>
// CHECK-NOT: tile.bits
// CHECK-NOT: tile.mask
// CHECK: %[[C:.*]] = arith.muli
// CHECK: %[[R:.*]] = tile.accumulate %[[O]], %[[S]], %[[V]] : tensor<48x32xf32>
// CHECK: return %[[R]], %[[C]]
func.func @full(%s: tensor<48x64xf32>, %o: tensor<48x32xf32>, %v: tensor<64x32xf32>,
                %b: index, %rows: index) -> (tensor<48x32xf32>, index) {
  %status = arith.constant 2 : i32
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %b)
    queries(%b) keys(%b) of %b status(%status) : tensor<48x64xi1>
  %x = tile.mask %s, %bits : tensor<48x64xf32>, tensor<48x64xi1>
  %n = tile.count %bits rows %rows : tensor<48x64xi1>
  %r = tile.accumulate %o, %x, %v where %bits
    : tensor<48x32xf32>, tensor<48x64xf32>, tensor<64x32xf32>, tensor<48x64xi1>
  return %r, %n : tensor<48x32xf32>, index
}

// CHECK-LABEL: func.func @partial
// CHECK: %[[BITS:.*]] = tile.bits
// CHECK: tile.mask %{{.*}}, %[[BITS]]
// CHECK: tile.count %[[BITS]]
// CHECK: tile.accumulate {{.*}} where %[[BITS]]
func.func @partial(%s: tensor<48x64xf32>, %o: tensor<48x32xf32>, %v: tensor<64x32xf32>,
                   %b: index, %rows: index) -> (tensor<48x32xf32>, index) {
  %status = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %b)
    queries(%b) keys(%b) of %b status(%status) : tensor<48x64xi1>
  %x = tile.mask %s, %bits : tensor<48x64xf32>, tensor<48x64xi1>
  %n = tile.count %bits rows %rows : tensor<48x64xi1>
  %r = tile.accumulate %o, %x, %v where %bits
    : tensor<48x32xf32>, tensor<48x64xf32>, tensor<64x32xf32>, tensor<48x64xi1>
  return %r, %n : tensor<48x32xf32>, index
}

// CHECK-LABEL: func.func @unknown
// CHECK: tile.bits
// CHECK: tile.mask
func.func @unknown(%s: tensor<48x64xf32>, %b: index, %status: i32) -> tensor<48x64xf32> {
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %b)
    queries(%b) keys(%b) of %b status(%status) : tensor<48x64xi1>
  %x = tile.mask %s, %bits : tensor<48x64xf32>, tensor<48x64xi1>
  return %x : tensor<48x64xf32>
}
