// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A delta rule that takes away before the state fades, where features fade by
// factors of their own.

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/LinearChunk.h"

using namespace heddle;
using namespace mlir;

/// S_i = A_i (S_{i-1} - beta_i y_i h_i^T) + beta_i y_i v_i^T, h_i = S_{i-1}^T
/// y_i, adds two rows per token: along y_i the value, along A_i y_i what is
/// erased. A key asks before the factor of its token, so for earlier ones.
void LinearChunk::eraseFirst(ChunkKeys &keys, const LinearState &state) {
  ChunkErasure &erasure = keys.erasure;
  FeatureParts asking;
  for (auto [y, toEnd, a, before] :
       llvm::zip_equal(keys.y, keys.phiToEnd, keys.a, keys.before)) {
    erasure.y.push_back(frame.mul(y, a));
    erasure.yToEnd.push_back(frame.mul(toEnd, a));
    asking.push_back(frame.mul(y, before));
  }
  keys.vT = timesColumns(keys.vT, keys.beta);
  keys.v = frame.transpose(keys.vT);
  keys.vToEndT = keys.vT;
  // What the state holds for the keys already, and what earlier ones write.
  Value held = frame.product(buildScores(frame, asking, state.s),
                             buildPairs(keys.y, keys.y, keys, /*before=*/true),
                             keys.v, causalBits(keys.size));
  Value r = frame.map({keys.size, frame.sizes.values}, {held, keys.beta},
                      [&](ValueRange in, Value, Value) {
                        // Beyond the end of the sequence nothing may leak from
                        // the state.
                        Value zero = frame.constant(0.0F);
                        Value isNone = arith::CmpFOp::create(
                            b, arith::CmpFPredicate::OEQ, in[1], zero);
                        Value change =
                            arith::NegFOp::create(b, frame.mul(in[1], in[0]));
                        return frame.select(isNone, zero, change);
                      });
  // And what earlier ones erase.
  Value a = tile::RescaleOp::create(
      b, buildPairs(keys.y, erasure.y, keys, /*before=*/true), keys.beta);
  erasure.vT = tile::SolveOp::create(b, a, frame.transpose(r));
  erasure.v = frame.transpose(erasure.vT);
}
