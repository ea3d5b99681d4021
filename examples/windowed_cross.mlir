// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Windowed cross-attention between grids (Chen et al., "HAT", 2023, and upsampling by
// attention): queries on a grid of twice the resolution look at the keys within
// `radius` rows and columns of the token they lie in.
//
// Left open in the papers: borders. Decided: the window is clipped. The ratio of the
// resolutions is a constant because divisors are.
//
// Shown with: --shape b=1,hq=1,hkv=1,sq=2304,sk=576,d=64 --set H=48 --set W=48 --set Hk=24 --set Wk=24

attn.pattern @windowed_cross(%H: index, %W: index, %Hk: index, %Wk: index, %radius: index = 2)
    grid(%H x %W) keys(%Hk x %Wk) keep(%b, %h, %qy, %qx, %ky, %kx) {
  %c2 = arith.constant 2 : index
  %cy = arith.floordivsi %qy, %c2 : index
  %cx = arith.floordivsi %qx, %c2 : index
  %up = arith.subi %cy, %ky : index
  %down = arith.subi %ky, %cy : index
  %left = arith.subi %cx, %kx : index
  %right = arith.subi %kx, %cx : index
  %a = arith.maxsi %up, %down : index
  %c = arith.maxsi %left, %right : index
  %most = arith.maxsi %a, %c : index
  %kept = arith.cmpi sle, %most, %radius : index
  attn.keep %kept
}
