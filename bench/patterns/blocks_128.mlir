// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A map of blocks of 128 queries by 128 keys for every head, nothing else: what
// block-sparse kernels are compared by. examples/block_sparse.mlir is causal too.

attn.pattern @blocks_128(%rows: !attn.set) keep(%b, %h, %q, %k) {
  %c128 = arith.constant 128 : index
  %row = arith.floordivsi %q, %c128 : index
  %column = arith.floordivsi %k, %c128 : index
  %listed = attn.in %column, %rows[%b, %h, %row]
  attn.keep %listed
}
