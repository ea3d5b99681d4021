// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --split-input-file --verify-diagnostics

func.func @transpose(%t: tensor<48x64xf32>) {
  // expected-error @below {{[transpose-1] expected the axes of 'tensor<48x64xf32>' exchanged, found 'tensor<48x64xf32>'}}
  %r = tile.transpose %t : tensor<48x64xf32> -> tensor<48x64xf32>
  return
}

// -----

func.func @transpose_vector(%t: tensor<48xf32>) {
  // expected-error @below {{[transpose-1] expected the axes of 'tensor<48xf32>' exchanged, found 'tensor<48x1xf32>'}}
  %r = tile.transpose %t : tensor<48xf32> -> tensor<48x1xf32>
  return
}

// -----

func.func @row(%t: tensor<48x64xf32>, %i: index) {
  // expected-error @below {{[row-1] expected one row of a tile of rank 2, found 'tensor<1x48xf32>' of 'tensor<48x64xf32>'}}
  %r = tile.row %t[%i] : tensor<48x64xf32> -> tensor<1x48xf32>
  return
}

// -----

func.func @element(%t: tensor<48x64xf32>, %i: index) {
  // expected-error @below {{[element-1] expected a tile of rank 1, found 'tensor<48x64xf32>'}}
  %r = tile.element %t[%i] : tensor<48x64xf32>
  return
}

// -----

func.func @load_table(%w: tensor<?x?x?xf32>) {
  // expected-error @below {{[load_table-1] expected a table with two axes more than the 0 indices, found 'tensor<?x?x?xf32>'}}
  %r = tile.load_table %w[] : tensor<?x?x?xf32> -> tensor<64x64xf32>
  return
}

// -----

func.func @load_table_result(%w: tensor<?x?xf32>) {
  // expected-error @below {{[load_table-2] expected a result of rank 2, found 'tensor<64xf32>'}}
  %r = tile.load_table %w[] : tensor<?x?xf32> -> tensor<64xf32>
  return
}

// -----

func.func @map_results(%s: tensor<48x64xf32>, %b: index) {
  // expected-error @below {{[map-1] expected results of one type, of rank 1 or 2, found 'tensor<48x64xf32>', 'tensor<48xf32>'}}
  %r:2 = tile.map %s at(%b, %b) from(%b, %b) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %c: index):
    tile.yield %x, %x : f32, f32
  } : (tensor<48x64xf32>) -> (tensor<48x64xf32>, tensor<48xf32>)
  return
}

// -----

func.func @map_inputs(%s: tensor<48x64xf32>, %t: tensor<64xf32>, %b: index) {
  // expected-error @below {{[map-2] expected inputs like the result, 'tensor<48x64xf32>', a value per row or a value per column, found 'tensor<64xf32>'}}
  %r = tile.map %s, %t at(%b, %b) from(%b, %b) {
  ^bb0(%x: f32, %y: f32, %bb: index, %hh: index, %i: index, %c: index):
    tile.yield %x : f32
  } : (tensor<48x64xf32>, tensor<64xf32>) -> tensor<48x64xf32>
  return
}

// -----

func.func @map_region(%s: tensor<48x64xf32>, %b: index) {
  // expected-error @below {{[map-3] expected a region with the arguments 'f32', 'index', 'index', 'index', 'index' that yields an 'f32' per result}}
  %r = tile.map %s at(%b, %b) from(%b, %b) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index):
    tile.yield %x : f32
  } : (tensor<48x64xf32>) -> tensor<48x64xf32>
  return
}

// -----

func.func @reduce(%s: tensor<48x64xf32>) {
  // expected-error @below {{[reduce-1] expected a tile of rank 2, axis 0 or 1 and the other extent, found 'tensor<48x64xf32>' along 0 to 'tensor<48xf32>'}}
  %r = tile.reduce max %s along 0 : tensor<48x64xf32> -> tensor<48xf32>
  return
}

// -----

func.func @decays(%a: tensor<48xf32>) {
  // expected-error @below {{[decays-1] expected N factors and a result of NxN, found 'tensor<48xf32>' and 'tensor<48x64xf32>'}}
  %w, %f, %e, %t = tile.decays %a : tensor<48xf32> -> tensor<48x64xf32>
  return
}

// -----

func.func @decayed_scores(%a: tensor<48x64xf32>) {
  // expected-error @below {{[decayed_scores-1] expected tiles of NxD and a result of NxN, found 'tensor<48x64xf32>' and 'tensor<64x64xf32>'}}
  %s = tile.decayed_scores %a, %a, %a : tensor<48x64xf32> -> tensor<64x64xf32>
  return
}

// -----

func.func @cumulate(%a: tensor<48x64xf32>) {
  // expected-error @below {{[cumulate-1] expected factors of NxD and D totals, found 'tensor<48x64xf32>' and 'tensor<48xf32>'}}
  %f, %e, %t = tile.cumulate %a : tensor<48x64xf32> -> tensor<48xf32>
  return
}

// -----

func.func @solve(%a: tensor<48x48xf32>, %r: tensor<48x64xf32>) {
  // expected-error @below {{[solve-1] expected a of NxN and r of DxN, found 'tensor<48x48xf32>' and 'tensor<48x64xf32>'}}
  %u = tile.solve %a, %r : tensor<48x48xf32>, tensor<48x64xf32>
  return
}

// -----

func.func @expand_power(%x: tensor<48x16xf32>) {
  // expected-error @below {{[expand-1] expected x of rank 2 and a degree of 2 to 8, found 'tensor<48x16xf32>' and 9}}
  %p = tile.expand %x power 9 : tensor<48x16xf32> -> tensor<48x16xf32>
  return
}

// -----

func.func @expand_features(%x: tensor<48x16xf32>) {
  // expected-error @below {{[expand-2] expected 48x153 features, found 'tensor<48x136xf32>'}}
  %p = tile.expand %x taylor : tensor<48x16xf32> -> tensor<48x136xf32>
  return
}
