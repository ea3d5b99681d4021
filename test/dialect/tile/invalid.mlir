// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s --split-input-file --verify-diagnostics

func.func @foreach_arguments(%tiles: !attn.tiles) {
  // expected-error @below {{[foreach-1] expected body arguments (index, i32, and the types of the initial values)}}
  tile.foreach %tiles {
  ^bb0(%k0: index, %status: i64):
    tile.yield
  }
  return
}

// -----

func.func @foreach_carried(%tiles: !attn.tiles, %x: f32) {
  // expected-error @below {{[foreach-1] expected body arguments (index, i32, and the types of the initial values)}}
  %r = tile.foreach %tiles init(%x : f32) {
  ^bb0(%k0: index, %status: i32):
    tile.yield %x : f32
  }
  return
}

// -----

func.func @foreach_yield(%tiles: !attn.tiles, %x: f32) {
  // expected-error @below {{[foreach-2] expected the types of initial, yielded and resulting values to agree}}
  %r = tile.foreach %tiles init(%x : f32) {
  ^bb0(%k0: index, %status: i32, %acc: f32):
    tile.yield %k0 : index
  }
  return
}

// -----

func.func @yield_outside() {
  // expected-error @below {{expects parent op 'tile.foreach'}}
  tile.yield
}

// -----

func.func @load_width(%b: index, %k: !attn.view<64xf32>) {
  // expected-error @below {{[load-1] expected a tile of rank 2 with rows of 64 elements, found 'tensor<32x40xf32>'}}
  %t = tile.load %k[%b, %b, %b] : !attn.view<64xf32> -> tensor<32x40xf32>
  return
}

// -----

func.func @load_rank(%b: index, %k: !attn.view<64xf32>) {
  // expected-error @below {{[load-1] expected a tile of rank 2 with rows of 64 elements, found 'tensor<64xf32>'}}
  %t = tile.load %k[%b, %b, %b] : !attn.view<64xf32> -> tensor<64xf32>
  return
}

// -----

func.func @load_type(%b: index, %k: !attn.view<64xf16>) {
  // expected-error @below {{[load-2] expected element type 'f16', found 'f32'}}
  %t = tile.load %k[%b, %b, %b] : !attn.view<64xf16> -> tensor<32x64xf32>
  return
}

// -----

func.func @load_dynamic(%b: index, %k: !attn.view<64xf32>) {
  // expected-error @below {{must be statically shaped tensor of 32-bit float values}}
  %t = tile.load %k[%b, %b, %b] : !attn.view<64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @store_width(%b: index, %o: !attn.view<64xf32>, %t: tensor<48x40xf32>) {
  // expected-error @below {{[store-1] expected a tile of rank 1 or 2 with rows of 64 elements, found 'tensor<48x40xf32>'}}
  tile.store %t, %o[%b, %b, %b] : tensor<48x40xf32>, !attn.view<64xf32>
  return
}

// -----

func.func @store_rank(%b: index, %o: !attn.view<1xf32>, %t: tensor<4x4x1xf32>) {
  // expected-error @below {{[store-1] expected a tile of rank 1 or 2 with rows of 1 elements, found 'tensor<4x4x1xf32>'}}
  tile.store %t, %o[%b, %b, %b] : tensor<4x4x1xf32>, !attn.view<1xf32>
  return
}

// -----

func.func @store_scalar(%b: index, %o: !attn.view<1xf32>, %t: tensor<f32>) {
  // expected-error @below {{[store-1] expected a tile of rank 1 or 2 with rows of 1 elements, found 'tensor<f32>'}}
  tile.store %t, %o[%b, %b, %b] : tensor<f32>, !attn.view<1xf32>
  return
}

// -----

func.func @store_type(%b: index, %o: !attn.view<64xbf16>, %t: tensor<48x64xf32>) {
  // expected-error @below {{[store-2] expected element type 'bf16', found 'f32'}}
  tile.store %t, %o[%b, %b, %b] : tensor<48x64xf32>, !attn.view<64xbf16>
  return
}

// -----

func.func @scores_depth(%q: tensor<48x40xf32>, %k: tensor<32x64xf32>) {
  // expected-error @below {{[scores-1] expected tiles of rank 2 with rows of one length, found 'tensor<48x40xf32>' and 'tensor<32x64xf32>'}}
  %s = tile.scores %q, %k : tensor<48x40xf32>, tensor<32x64xf32> -> tensor<48x32xf32>
  return
}

// -----

func.func @scores_extents(%q: tensor<48x64xf32>, %k: tensor<32x64xf32>) {
  // expected-error @below {{[scores-2] expected a result of 48x32, found 'tensor<32x48xf32>'}}
  %s = tile.scores %q, %k : tensor<48x64xf32>, tensor<32x64xf32> -> tensor<32x48xf32>
  return
}

// -----

func.func @bits_rank(%b: index, %status: i32) {
  // expected-error @below {{[bits-1] expected a result of rank 2, found 'tensor<48xi1>'}}
  %t = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %b, %b, %b)
    keys(%b) status(%status) : tensor<48xi1>
  return
}

// -----

func.func @bits_parameters(%b: index, %status: i32) {
  // expected-error @below {{[bits-2] expected 2 parameters for the formula, found 1}}
  %t = tile.bits #attn.formula<q - k in interval<0, p1>> at(%b, %b, %b, %b)
    keys(%b) status(%status) params(%b) : tensor<48x64xi1>
  return
}

// -----

func.func @mask_shapes(%s: tensor<48x64xf32>, %bits: tensor<48x32xi1>) {
  // expected-error @below {{failed to verify that all of {s, bits} have same shape}}
  %r = tile.mask %s, %bits : tensor<48x64xf32>, tensor<48x32xi1>
  return
}

// -----

func.func @softmax_step_rows(%s: tensor<48x64xf32>, %m: tensor<64xf32>) {
  // expected-error @below {{[softmax_step-1] expected 'm' of rank 1 with one element per row of 'tensor<48x64xf32>', found 'tensor<64xf32>'}}
  %p, %m1, %l1, %alpha = tile.softmax_step %s, %m, %m : tensor<48x64xf32>, tensor<64xf32>
  return
}

// -----

func.func @rescale_rank(%o: tensor<48x64xf32>, %alpha: tensor<48x1xf32>) {
  // expected-error @below {{[rescale-1] expected 'alpha' of rank 1 with one element per row of 'tensor<48x64xf32>', found 'tensor<48x1xf32>'}}
  %r = tile.rescale %o, %alpha : tensor<48x64xf32>, tensor<48x1xf32>
  return
}

// -----

func.func @accumulate_extents(%o: tensor<48x64xf32>, %p: tensor<48x32xf32>, %v: tensor<64x64xf32>) {
  // expected-error @below {{[accumulate-1] expected o of MxD, p of MxN and v of NxD, found 'tensor<48x64xf32>', 'tensor<48x32xf32>' and 'tensor<64x64xf32>'}}
  %r = tile.accumulate %o, %p, %v : tensor<48x64xf32>, tensor<48x32xf32>, tensor<64x64xf32>
  return
}

// -----

func.func @accumulate_bits(%o: tensor<48x64xf32>, %p: tensor<48x32xf32>, %v: tensor<32x64xf32>,
                           %bits: tensor<32x48xi1>) {
  // expected-error @below {{[accumulate-2] expected bits of the shape of p, 'tensor<48x32xf32>', found 'tensor<32x48xi1>'}}
  %r = tile.accumulate %o, %p, %v where %bits
    : tensor<48x64xf32>, tensor<48x32xf32>, tensor<32x64xf32>, tensor<32x48xi1>
  return
}

// -----

func.func @finish_rows(%o: tensor<48x64xf32>, %m: tensor<40xf32>) {
  // expected-error @below {{[finish-1] expected 'm' of rank 1 with one element per row of 'tensor<48x64xf32>', found 'tensor<40xf32>'}}
  %r, %lse = tile.finish %o, %m, %m : tensor<48x64xf32>, tensor<40xf32>
  return
}
