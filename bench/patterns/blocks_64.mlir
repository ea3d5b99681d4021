// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A map of blocks of 64 queries by 64 keys for every head, nothing else: what
// block-sparse kernels are compared by. examples/block_sparse.mlir is causal too.

attn.pattern @blocks_64(%rows: !attn.set) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %row = arith.floordivsi %q, %c64 : index
  %column = arith.floordivsi %k, %c64 : index
  %listed = attn.in %column, %rows[%b, %h, %row]
  attn.keep %listed
}
