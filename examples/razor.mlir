// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Dropped keys and one that stands for them (Tang et al., "RazorAttention", 2024):
// after the prompt a head keeps `sink` first keys and those from cut[b, h] on; the
// ones between are dropped, and one more key, the mean of them, with the mean of
// their values, counts as often as they were many.
//
// Left open in the paper: how the count enters. Decided: the mean key's score gets
// + log(count), which is exact when all dropped keys are alike. A head with
// cut <= sink drops nothing (a retrieval head). The mean key is the one key of a
// second source; making it is a mean over rows.
//
// Shown with: --pattern razor_held --set cut=fill:2500@1xh

attn.combine @razor [@razor_held, @razor_mean]

attn.pattern @razor_held(%cut: tensor<?x?xindex>, %sink: index = 64) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %from = attn.at %cut[%b, %h] : tensor<?x?xindex>
  %late = arith.cmpi sge, %k, %from : index
  %first = arith.cmpi slt, %k, %sink : index
  %either = arith.ori %late, %first : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}

attn.pattern @razor_mean(%cut: tensor<?x?xindex>, %sink: index = 64) keep(%b, %h, %q, %k) {
  %from = attn.at %cut[%b, %h] : tensor<?x?xindex>
  %some = arith.cmpi sgt, %from, %sink : index
  attn.keep %some
} score(%s, %b, %h, %q, %k) {
  %from = attn.at %cut[%b, %h] : tensor<?x?xindex>
  %count = arith.subi %from, %sink : index
  %whole = arith.index_cast %count : index to i32
  %real = arith.sitofp %whole : i32 to f32
  %log = math.log %real : f32
  %t = arith.addf %s, %log : f32
  attn.score %t
}
