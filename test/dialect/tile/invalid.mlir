// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s --split-input-file --verify-diagnostics

func.func @foreach_arguments(%tiles: !attn.tiles) {
  // expected-error @below {{[foreach-1] expected body arguments (index per axis, i32, and the types of the initial values)}}
  tile.foreach %tiles {
  ^bb0(%k0: index, %status: i64):
    tile.yield
  }
  return
}

// -----

func.func @foreach_carried(%tiles: !attn.tiles, %x: f32) {
  // expected-error @below {{[foreach-1] expected body arguments (index per axis, i32, and the types of the initial values)}}
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
  // expected-error @below {{expects parent op to be one of 'tile.foreach, tile.each_head, tile.collect, tile.map, tile.modify'}}
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

func.func @load_type(%b: index, %k: !attn.view<64xf64>) {
  // expected-error @below {{[load-2] expected elements of type 'f32', 'f16' or 'bf16', found 'f64'}}
  %t = tile.load %k[%b, %b, %b] : !attn.view<64xf64> -> tensor<32x64xf32>
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

func.func @store_type(%b: index, %o: !attn.view<64xf64>, %t: tensor<48x64xf32>) {
  // expected-error @below {{[store-2] expected elements of type 'f32', 'f16' or 'bf16', found 'f64'}}
  tile.store %t, %o[%b, %b, %b] : tensor<48x64xf32>, !attn.view<64xf64>
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
  %t = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %b)
    queries(%b) keys(%b) of %b status(%status) : tensor<48xi1>
  return
}

// -----

func.func @bits_parameters(%b: index, %status: i32) {
  // expected-error @below {{[bits-2] expected 2 parameters for the formula, found 1}}
  %t = tile.bits #attn.formula<q - k in interval<0, p1>> at(%b, %b)
    queries(%b) keys(%b) of %b status(%status) params(%b : index) : tensor<48x64xi1>
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

func.func @accumulate_upper(%o: tensor<48x64xf32>, %p: tensor<48x32xf32>, %v: tensor<32x64xf32>) {
  // expected-error @below {{[accumulate-3] expected a square v and no bits with 'upper', found 'tensor<32x64xf32>'}}
  %r = tile.accumulate %o, %p, upper %v : tensor<48x64xf32>, tensor<48x32xf32>, tensor<32x64xf32>
  return
}

// -----

func.func @accumulate_upper_bits(%o: tensor<48x32xf32>, %p: tensor<48x32xf32>, %v: tensor<32x32xf32>,
                                 %bits: tensor<48x32xi1>) {
  // expected-error @below {{[accumulate-3] expected a square v and no bits with 'upper', found 'tensor<32x32xf32>' and bits}}
  %r = tile.accumulate %o, %p, upper %v where %bits
    : tensor<48x32xf32>, tensor<48x32xf32>, tensor<32x32xf32>, tensor<48x32xi1>
  return
}

// -----

func.func @finish_rows(%o: tensor<48x64xf32>, %m: tensor<40xf32>) {
  // expected-error @below {{[finish-1] expected 'm' of rank 1 with one element per row of 'tensor<48x64xf32>', found 'tensor<40xf32>'}}
  %r, %lse = tile.finish %o, %m, %m : tensor<48x64xf32>, tensor<40xf32>
  return
}

// -----

func.func @load_tokens(%b: index, %k: !attn.view<64xf32>, %p: tensor<16xindex>) {
  // expected-error @below {{[load-3] expected a token per row of 'tensor<32x64xf32>', found 'tensor<16xindex>'}}
  %t = tile.load %k[%b, %b, %p : tensor<16xindex>] : !attn.view<64xf32> -> tensor<32x64xf32>
  return
}

// -----

func.func @store_tokens(%b: index, %o: !attn.view<64xf32>, %t: tensor<48x64xf32>, %p: tensor<16xindex>) {
  // expected-error @below {{[store-3] expected a token per row of 'tensor<48x64xf32>', found 'tensor<16xindex>'}}
  tile.store %t, %o[%b, %b, %p : tensor<16xindex>] : tensor<48x64xf32>, !attn.view<64xf32>
  return
}

// -----

func.func @positions_axes(%y: index) {
  // expected-error @below {{[positions-1] expected coordinates, extents and box of one to three axes, found 1, 1 and 2}}
  %p = tile.positions at(%y) of(%y) box [8, 8] : tensor<64xindex>
  return
}

// -----

func.func @positions_size(%y: index) {
  // expected-error @below {{[positions-2] expected a result of 64 elements, found 'tensor<48xindex>'}}
  %p = tile.positions at(%y, %y) of(%y, %y) box [8, 8] : tensor<48xindex>
  return
}

// -----

func.func @collect_region(%s: !attn.set, %n: index) {
  // expected-error @below {{[collect-1] expected a region from index to (i1, index)}}
  %p, %next = tile.collect %s[] from %n below %n tile 64 {
  ^bb0(%k0: index):
    tile.yield %n : index
  } : tensor<64xindex>
  return
}

// -----

func.func @collect_rank(%s: !attn.set, %n: index, %c: i1) {
  // expected-error @below {{[collect-2] expected a result of rank 1, found 'tensor<8x8xindex>'}}
  %p, %next = tile.collect %s[] from %n below %n tile 64 {
  ^bb0(%k0: index):
    tile.yield %c, %n : i1, index
  } : tensor<8x8xindex>
  return
}

// -----

func.func @bits_coordinates(%b: index, %status: i32) {
  // expected-error @below {{[bits-3] expected one coordinate of queries and keys per axis of the boxes, found 2 and 1 for 2 axes}}
  %t = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %b)
    queries(%b, %b) keys(%b) of %b status(%status) boxes [6, 8] [8, 8] : tensor<48x64xi1>
  return
}

// -----

func.func @bits_tokens(%b: index, %status: i32, %p: tensor<32xindex>) {
  // expected-error @below {{[bits-4] expected a token per key of 'tensor<48x64xi1>' and no boxes, found 'tensor<32xindex>'}}
  %t = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %b)
    queries(%b) listed(%p : tensor<32xindex>) of %b status(%status) : tensor<48x64xi1>
  return
}

// -----

func.func @rotate_odd(%k: tensor<64x41xf32>, %c: tensor<?x?xf32>, %k0: index) {
  // expected-error @below {{[rotate-1] expected a tile of rank 2 with rows of even length, found 'tensor<64x41xf32>'}}
  %r = tile.rotate %k at %k0 : index by(%c, %c) : tensor<64x41xf32>, tensor<?x?xf32>, tensor<?x?xf32>
  return
}

// -----

func.func @rotate_tokens(%k: tensor<64x40xf32>, %c: tensor<?x?xf32>, %p: tensor<32xindex>) {
  // expected-error @below {{[rotate-2] expected a token per row of 'tensor<64x40xf32>', found 'tensor<32xindex>'}}
  %r = tile.rotate %k at %p : tensor<32xindex> by(%c, %c) : tensor<64x40xf32>, tensor<?x?xf32>, tensor<?x?xf32>
  return
}

// -----

func.func @rotate_same(%k: tensor<64x40xf32>, %c: tensor<?x?xf32>, %p: tensor<64xindex>) {
  // expected-error @below {{[rotate-3] expected one position for all rows, found 'tensor<64xindex>'}}
  %r = tile.rotate %k at same %p : tensor<64xindex> by(%c, %c) : tensor<64x40xf32>, tensor<?x?xf32>, tensor<?x?xf32>
  return
}

// -----

func.func @modify_arguments(%s: tensor<48x64xf32>, %b: index) {
  // expected-error @below {{[modify-1] expected a region with the arguments}}
  %r = tile.modify %s at(%b, %b) queries(%b) keys(%b) {
  ^bb0(%x: f32, %bb: index, %hh: index, %q: index):
    tile.yield %x : f32
  } : tensor<48x64xf32> -> tensor<48x64xf32>
  return
}

// -----

func.func @modify_results(%s: tensor<48x64xf32>, %b: index) {
  // expected-error @below {{[modify-2] expected one or two results like the scores, one for every 'f32' that the region yields}}
  %r = tile.modify %s at(%b, %b) queries(%b) keys(%b) {
  ^bb0(%x: f32, %bb: index, %hh: index, %q: index, %k: index):
    tile.yield %x, %x : f32, f32
  } : tensor<48x64xf32> -> tensor<48x64xf32>
  return
}

// -----

func.func @weights_lse(%s: tensor<48x64xf32>, %lse: tensor<64xf32>, %bits: tensor<48x64xi1>) {
  // expected-error @below {{[weights-1] expected 'lse' of rank 1 with one element per row of 'tensor<48x64xf32>', found 'tensor<64xf32>'}}
  %p = tile.weights %s, %lse where %bits : tensor<48x64xf32>, tensor<64xf32>, tensor<48x64xi1>
  return
}

// -----

func.func @weights_bits(%s: tensor<48x64xf32>, %lse: tensor<48xf32>, %bits: tensor<48x32xi1>) {
  // expected-error @below {{[weights-2] expected bits of the shape of 'tensor<48x64xf32>', found 'tensor<48x32xi1>'}}
  %p = tile.weights %s, %lse where %bits : tensor<48x64xf32>, tensor<48xf32>, tensor<48x32xi1>
  return
}

// -----

func.func @add_columns(%p: tensor<48xf32>, %v: !attn.view<1xf32>, %b: index) {
  // expected-error @below {{[add_columns-1] expected p of rank 2 and a view of width 1, found 'tensor<48xf32>' and '!attn.view<1xf32>'}}
  tile.add_columns %p rows %b, %v[%b, %b, %b] : tensor<48xf32>, !attn.view<1xf32>
  return
}

// -----

func.func @add_columns_tokens(%p: tensor<48x64xf32>, %v: !attn.view<1xf32>, %b: index,
                              %keys: tensor<48xindex>) {
  // expected-error @below {{[add_columns-2] expected a token per key of 'tensor<48x64xf32>', found 'tensor<48xindex>'}}
  tile.add_columns %p rows %b, %v[%b, %b, %keys : tensor<48xindex>] : tensor<48x64xf32>, !attn.view<1xf32>
  return
}

// -----

func.func @raise_blocks_rows(%p: tensor<48x64xf32>, %v: !attn.view<1xf32>, %b: index,
                             %rows: tensor<64xindex>) {
  // expected-error @below {{[raise_blocks-2] expected a token per row of 'tensor<48x64xf32>', found 'tensor<64xindex>'}}
  tile.raise_blocks %p rows %b, %v[%b, %b] at(%rows : tensor<64xindex>, %b) by 64 x 64 : tensor<48x64xf32>, !attn.view<1xf32>
  return
}

// -----

func.func @raise_blocks_keys(%p: tensor<48x64xf32>, %v: !attn.view<1xf32>, %b: index,
                             %keys: tensor<64x1xindex>) {
  // expected-error @below {{[raise_blocks-2] expected a token per key of 'tensor<48x64xf32>', found 'tensor<64x1xindex>'}}
  tile.raise_blocks %p rows %b, %v[%b, %b] at(%b, %keys : tensor<64x1xindex>) by 64 x 64 : tensor<48x64xf32>, !attn.view<1xf32>
  return
}

// -----

func.func @raise_blocks(%p: tensor<48x64xf32>, %v: !attn.view<1xf32>, %b: index) {
  // expected-error @below {{[raise_blocks-1] expected p of rank 2 and positive block sizes, found 'tensor<48x64xf32>', 64 and 0}}
  tile.raise_blocks %p rows %b, %v[%b, %b] at(%b, %b) by 64 x 0 : tensor<48x64xf32>, !attn.view<1xf32>
  return
}
