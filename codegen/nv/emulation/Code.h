// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoded functions: what the executor runs.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_CODE_H
#define HEDDLE_CODEGEN_NV_EMULATION_CODE_H

#include "codegen/nv/emulation/Program.h"
#include "codegen/nv/emulation/Types.h"

#include <cstdint>
#include <string>
#include <vector>

namespace heddle::ptx {

class WarpState;
struct Inst;
using Handler = void (*)(WarpState &, const Inst &);

inline constexpr uint32_t NoGuard = ~uint32_t(0);
/// Among the flags of instructions with an address: it is a 32-bit register.
inline constexpr uint8_t Address32 = 0x80;

/// An instruction. Operands are byte offsets into the frame of the function:
/// a register of all lanes stands there, lane after lane (predicates: one bit
/// per lane in 32 bits). Immediates and special registers have places of their
/// own in the frame.
struct Inst {
  Handler Run = nullptr;
  uint32_t Op[5] = {0, 0, 0, 0, 0};
  uint32_t Guard = NoGuard;
  bool GuardNegated = false;
  /// What the handler makes of these is its own affair.
  uint8_t Bytes = 0, Count = 0, Flags = 0;
  uint32_t Aux = 0;
  /// Further operands: Function::Operands from here on.
  uint32_t More = 0;
  int64_t Imm = 0;
};

/// Values that a frame gets when it is made (WarpState::fillSpecials).
enum class SpecialKind : uint8_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  Lane,
  WarpNumber,
  NumWarps,
  MaskEq,
  MaskLe,
  MaskLt,
  MaskGe,
  MaskGt,
  DynamicSharedBytes,
  DynamicShared, ///< address of the dynamic shared array, plus Addend
  Local,         ///< address in this frame's local memory, plus Addend
  Variable       ///< address of global variable Index, plus Addend
};

struct Special {
  uint32_t Place = 0; ///< offset in the frame
  uint8_t Bytes = 4;
  SpecialKind Kind = SpecialKind::Lane;
  uint32_t Index = 0;
  int64_t Addend = 0;
};

/// Where an instruction stands in the text.
struct Place {
  unsigned Line = 0;
  unsigned Source = 0; ///< Module::Sources; 0: unknown
};

struct Function {
  std::string Name;
  bool Entry = false;
  std::vector<Inst> Code;
  std::vector<Place> Places; ///< of every instruction
  std::vector<uint32_t> Operands;
  /// The frame: registers in [0, RegisterBytes), then Image (constants, and
  /// room for the special values).
  uint32_t RegisterBytes = 0;
  std::vector<char> Image;
  std::vector<Special> Specials;
  uint32_t NumRegisters = 0;
  /// Bytes per lane: arguments, results and outgoing arguments; the stack.
  uint32_t ParamBytes = 0;
  uint32_t LocalBytes = 0;
  /// Where arguments and the result lie among ParamBytes (entries: in the block
  /// of the launch).
  struct Slot {
    std::string Name;
    uint32_t Offset = 0, Bytes = 0, Align = 1;
  };
  std::vector<Slot> Parameters, Results;
  /// Functions that are called, and whether dynamic shared memory is used.
  std::vector<unsigned> Callees;
  bool UsesDynamicShared = false;
  /// Whether anything runs beside the warps (AsyncState.h).
  bool UsesAsync = false;
  uint64_t SharedEnd = 0; ///< static shared memory used lies below
  bool Defined = false;

  uint32_t frameBytes() const { return RegisterBytes + uint32_t(Image.size()); }
};

/// Local memory of a thread (CUDA C++ Programming Guide, Technical
/// Specifications per Compute Capability).
inline constexpr uint64_t MaxLocalBytes = 512 * 1024;

/// A variable in global or constant memory.
struct GlobalVariable {
  std::string Name;
  bool ReadOnly = false;
  bool External = false;
  uint64_t Bytes = 0, Align = 1;
  std::vector<char> Initial; ///< may be shorter than Bytes: zeros follow
  /// Pointers in the initialiser: the address of another variable.
  struct Pointer {
    uint64_t Offset = 0;
    std::string To;
    int64_t Addend = 0;
  };
  std::vector<Pointer> Pointers;
};

struct Module {
  std::string Name;
  std::string Target;
  std::vector<Function> Functions;
  std::vector<GlobalVariable> Variables;
  std::vector<Kernel> Kernels;
  std::vector<std::string> Sources; ///< "file:line"; 0 is empty
  std::vector<std::string> Lines;   ///< the text, line 1 first
  uint64_t DynamicSharedAlign = 1;

  llvm::StringRef line(unsigned Number) const {
    return Number && Number <= Lines.size()
               ? llvm::StringRef(Lines[Number - 1]).trim()
               : llvm::StringRef();
  }
};

/// Tags in the top byte of a generic address; global addresses have none (PTX
/// ISA, Generic Addressing).
inline constexpr uint64_t SharedWindow = uint64_t(1) << 56;
inline constexpr uint64_t LocalWindow = uint64_t(2) << 56;
inline constexpr uint64_t ParamWindow = uint64_t(3) << 56;
inline constexpr uint64_t WindowMask = uint64_t(0xff) << 56;
/// Parameters of calls in the space .param begin here; those of the launch at
/// 0.
inline constexpr uint64_t CallParams = uint64_t(1) << 32;

} // namespace heddle::ptx

#endif
