// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The integer forms of instructions that floats have too.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_INTEGER_H
#define HEDDLE_CODEGEN_NV_EMULATION_INTEGER_H

#include "codegen/nv/emulation/Decoder.h"

namespace heddle::ptx {

void decodeIntegerAdd(Decoder &D, Type Of);
void decodeIntegerSub(Decoder &D, Type Of);
void decodeIntegerMul(Decoder &D, Type Of);
void decodeIntegerMad(Decoder &D, Type Of);
void decodeIntegerDiv(Decoder &D, Type Of);
void decodeIntegerMin(Decoder &D, Type Of);
void decodeIntegerMax(Decoder &D, Type Of);
void decodeIntegerAbs(Decoder &D, Type Of);
void decodeIntegerNeg(Decoder &D, Type Of);
/// add.cc and sub.cc; false: the instruction has no .cc.
bool decodeCarryOut(Decoder &D, bool Minus);

} // namespace heddle::ptx

#endif
