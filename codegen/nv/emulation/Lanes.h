// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An operation on one lane made into an instruction on all of them. Every lane
// is computed, whether it executes or not, so operations are total functions;
// only executing lanes are written.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_LANES_H
#define HEDDLE_CODEGEN_NV_EMULATION_LANES_H

#include "codegen/nv/emulation/Decoder.h"
#include "codegen/nv/emulation/WarpState.h"

#include <type_traits>

namespace heddle::ptx {

/// D = Op(A), with Op a class of a static function `of`.
template <typename D, typename A, typename Op>
void unary(WarpState &W, const Inst &I) {
  const A *X = W.reg<A>(I.Op[1]);
  alignas(64) D Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = Op::of(X[L]);
  W.store(I.Op[0], Out);
}

template <typename D, typename A, typename B, typename Op>
void binary(WarpState &W, const Inst &I) {
  const A *X = W.reg<A>(I.Op[1]);
  const B *Y = W.reg<B>(I.Op[2]);
  alignas(64) D Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = Op::of(X[L], Y[L]);
  W.store(I.Op[0], Out);
}

template <typename D, typename A, typename B, typename C, typename Op>
void ternary(WarpState &W, const Inst &I) {
  const A *X = W.reg<A>(I.Op[1]);
  const B *Y = W.reg<B>(I.Op[2]);
  const C *Z = W.reg<C>(I.Op[3]);
  alignas(64) D Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = Op::of(X[L], Y[L], Z[L]);
  W.store(I.Op[0], Out);
}

/// The handler of an operation for an integer type of 16, 32 or 64 bits; null
/// for others. Make<T>::Run is the handler for one C++ type.
template <template <typename> class Make> Handler forInteger(Type Of) {
  if (Of.Packed || Of.isFloat() || Of.isPredicate())
    return nullptr;
  bool Signed = Of.isSigned();
  switch (Of.Width) {
  case 16:
    return Signed ? Make<int16_t>::Run : Make<uint16_t>::Run;
  case 32:
    return Signed ? Make<int32_t>::Run : Make<uint32_t>::Run;
  case 64:
    return Signed ? Make<int64_t>::Run : Make<uint64_t>::Run;
  default:
    return nullptr;
  }
}

/// An integer type twice as wide.
template <typename T> struct Wide;
template <> struct Wide<int16_t> {
  using Of = int32_t;
};
template <> struct Wide<uint16_t> {
  using Of = uint32_t;
};
template <> struct Wide<int32_t> {
  using Of = int64_t;
};
template <> struct Wide<uint32_t> {
  using Of = uint64_t;
};
template <> struct Wide<int64_t> {
  using Of = __int128;
};
template <> struct Wide<uint64_t> {
  using Of = unsigned __int128;
};
template <typename T> using WideOf = typename Wide<T>::Of;

/// Destination and sources of one type in Op[0], Op[1] ...
inline void simpleOperands(Decoder &D, Type Of, unsigned Sources) {
  D.expect(1 + Sources);
  D.I.Op[0] = D.target(0, Of);
  for (unsigned N = 1; N <= Sources; ++N)
    D.I.Op[N] = D.source(N, Of);
}

/// Sets the handler, or says that the type will not do.
inline void runs(Decoder &D, Handler With) {
  D.I.Run = With;
  if (!With)
    D.fail("'" + D.From.Opcode + "' has a type that '" + D.name() +
           "' does not take");
}

} // namespace heddle::ptx

#endif
