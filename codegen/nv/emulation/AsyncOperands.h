// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operands of asynchronous instructions, which have several addresses: base
// and offset of each are further operands.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_ASYNCOPERANDS_H
#define HEDDLE_CODEGEN_NV_EMULATION_ASYNCOPERANDS_H

#include "codegen/nv/emulation/AsyncState.h"
#include "codegen/nv/emulation/Cta.h"
#include "codegen/nv/emulation/Decoder.h"

namespace heddle::ptx {

/// Appends base and offset of the N-th address of an instruction, which is
/// operand `From`. Inst::Bytes has a bit for those with 32-bit bases.
inline void moreAddress(Decoder &D, unsigned Number, unsigned From) {
  const Operand &O = D.operand(From);
  if (O.Is != Operand::Address || O.Items.empty()) {
    D.fail("operand " + llvm::Twine(From + 1) + " must be an address in '[]'");
    D.more(0);
    D.more(0);
    return;
  }
  const Operand &Base = O.Items.front();
  Symbol *Known = Base.Is == Operand::Name ? D.Frame.find(Base.Text) : nullptr;
  bool Narrow = Known && Known->Is == Symbol::Register && Known->Of.Width == 32;
  if (Narrow)
    D.I.Bytes |= uint8_t(1 << Number);
  D.more(D.source(Base, Narrow ? B32 : B64));
  D.more(D.Frame.constant(uint64_t(O.Offset), B64));
}

/// The value of such an address; `At` is the place of its base among the
/// further operands.
inline uint64_t addressOf(WarpState &W, const Inst &I, unsigned Number,
                          unsigned At, unsigned Lane) {
  uint64_t Offset = W.reg<uint64_t>(W.more(I, At + 1))[Lane];
  if (I.Bytes >> Number & 1)
    return uint32_t(W.reg<uint32_t>(W.more(I, At))[Lane] + uint32_t(Offset));
  return W.reg<uint64_t>(W.more(I, At))[Lane] + Offset;
}

/// The same in shared memory: a generic address loses its window.
inline uint64_t sharedAddressOf(WarpState &W, const Inst &I, unsigned Number,
                                unsigned At, unsigned Lane) {
  uint64_t Address = addressOf(W, I, Number, At, Lane);
  return (Address & WindowMask) == SharedWindow ? Address & ~WindowMask
                                                : Address;
}

/// Takes the modifiers of memory order and scope. Whether they order memory:
/// all but .relaxed do.
inline bool takeOrder(Decoder &D) {
  bool Relaxed = D.take("relaxed");
  D.ignore({"release", "acquire", "cta", "cluster"});
  return !Relaxed;
}

} // namespace heddle::ptx

#endif
