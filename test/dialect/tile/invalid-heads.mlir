// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{[heads-1] expected a positive count and a tile of static shape, found 0 and 'tensor<48x64xf32>'}}
func.func private @none(!tile.heads<0, tensor<48x64xf32>>)

// -----

// expected-error @below {{[heads-1] expected a positive count and a tile of static shape, found 4 and 'tensor<?x64xf32>'}}
func.func private @dynamic(!tile.heads<4, tensor<?x64xf32>>)

// -----

func.func @arguments(%h: index, %n: index, %q: !tile.heads<4, tensor<48x64xf32>>) {
  // expected-error @below {{[each_head-1] expected a body with the arguments 'index', 'tensor<48x64xf32>'}}
  tile.each_head from %h count %n reads(%q : !tile.heads<4, tensor<48x64xf32>>) {
  ^bb0(%head: index, %q1: tensor<64x48xf32>):
    tile.yield
  }
  return
}

// -----

func.func @yielded(%h: index, %n: index, %m: !tile.heads<4, tensor<48xf32>>) {
  // expected-error @below {{[each_head-2] expected a result for every tile that the body yields, of its type, and first those of 'carries'}}
  tile.each_head from %h count %n carries(%m : !tile.heads<4, tensor<48xf32>>) {
  ^bb0(%head: index, %m1: tensor<48xf32>):
    tile.yield %m1 : tensor<48xf32>
  }
  return
}

// -----

func.func @carried(%h: index, %n: index, %m: !tile.heads<4, tensor<48xf32>>) {
  // expected-error @below {{[each_head-2] expected a result for every tile that the body yields, of its type, and first those of 'carries'}}
  tile.each_head from %h count %n carries(%m : !tile.heads<4, tensor<48xf32>>) {
  ^bb0(%head: index, %m1: tensor<48xf32>):
    tile.yield
  }
  return
}

// -----

func.func @counts(%h: index, %n: index, %m: !tile.heads<4, tensor<48xf32>>) {
  // expected-error @below {{[each_head-3] expected tiles for one number of heads, found '!tile.heads<4, tensor<48xf32>>', '!tile.heads<3, tensor<48xf32>>'}}
  %r = tile.each_head from %h count %n reads(%m : !tile.heads<4, tensor<48xf32>>) {
  ^bb0(%head: index, %m1: tensor<48xf32>):
    tile.yield %m1 : tensor<48xf32>
  } -> !tile.heads<3, tensor<48xf32>>
  return
}
