// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Softmax attention as a recurrence (Feng et al., "Attention as an RNN", 2024): one
// query of the model sees every prefix of the sequence. Per prefix (m, u, w), the
// maximum of the scores, the sum of exp(s - m) and that of exp(s - m) v, is carried,
// and one more token scales what is there by exp(m_before - m).
//
// Left open in the paper: nothing. Keys of one feature are the scores of the query;
// `peak`, with axes (batch, head, position), is their running maximum, which is a scan
// of its own. Queries have one feature too, that no one looks at.
//
// Shown with: --set peak=iota:0.01@bxhxq --shape b=1,hq=1,hkv=1,sq=512,sk=512,d=1,dv=64 --tile 8x8

attn.recurrence @aaren(%peak: tensor<?x?x?xf32>)
  query(%x, %b, %h, %i, %c) {
    %one = arith.constant 1.0 : f32
    attn.features %one
  }
  key(%x, %b, %h, %i, %c) {
    %m = attn.at %peak[%b, %h, %i] : tensor<?x?x?xf32>
    %s = arith.subf %x, %m : f32
    %e = math.exp %s : f32
    attn.features %e
  }
  decay(%b, %h, %i) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %last = arith.subi %i, %c1 : index
    %j = arith.maxsi %last, %c0 : index
    %m = attn.at %peak[%b, %h, %i] : tensor<?x?x?xf32>
    %before = attn.at %peak[%b, %h, %j] : tensor<?x?x?xf32>
    %g = arith.subf %before, %m : f32
    attn.decay %g
  }
  normalize sum
