// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Symmetric power attention (Buckman, Gelada and Zhang, "Symmetric power transformers",
// 2024), p = 4: weights are the fourth powers of scale * (q . k), divided by their sum
// over the row. As a state, its rows are the monomials of degree four, 3,876 for d =
// 16.
//
// Left open in the paper: head dims whose state is too large. Decided: at most 65,536
// rows, so d is 33 at most.
//
// Shown with: --shape b=1,hq=8,hkv=8,sq=4096,sk=4096,d=16

attn.recurrence @symmetric_power_4
  expand power 4
  normalize sum
