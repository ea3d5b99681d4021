// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Retrieval and streaming heads in one launch (Xiao et al., "DuoAttention", 2024):
// a table says for every head whether it sees the whole past or a sink and a
// window.
//
// Left open in the paper: whether sizes count the query itself. Decided: the
// window does. Heads that share keys may be of different kinds here; a cache that
// drops keys needs them alike. Decoding from such a cache is duo_ring.mlir.
//
// Shown with: --set retrieval=[0,1,0,0,1,0,1,0]

attn.pattern @duo_attention(%retrieval: tensor<?xindex>, %sink: index = 64, %window: index = 256) keep(%b, %h, %q, %k) {
  %c1 = arith.constant 1 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %kind = attn.at %retrieval[%h] : tensor<?xindex>
  %whole = arith.cmpi eq, %kind, %c1 : index
  %short = attn.apply @streaming(%sink, %window : index, index) at(%b, %h, %q, %k)
  %either = arith.ori %whole, %short : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}

attn.pattern @streaming(%sink: index, %window: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %first = arith.cmpi slt, %k, %sink : index
  %near = arith.cmpi slt, %d, %window : index
  %kept = arith.ori %first, %near : i1
  attn.keep %kept
}
