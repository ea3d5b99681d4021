// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Block-diagonal attention (Qiu et al., "Blockwise self-attention for long
// document understanding", 2019): chunks of 512 tokens that see only themselves.
//
// Left open in the paper: what a length that is no multiple of the chunk does.
// Decided: the last chunk is shorter. The chunk is a constant because divisors
// are. Chunked causal attention is this and `q - k in [0, inf)`.

attn.pattern @block_diagonal keep(%b, %h, %q, %k) {
  %c512 = arith.constant 512 : index
  %qc = arith.floordivsi %q, %c512 : index
  %kc = arith.floordivsi %k, %c512 : index
  %same = arith.cmpi eq, %qc, %kc : index
  attn.keep %same
}
