// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the decoders of single instructions work with: the modifiers and
// operands of a statement, and places in the frame for them.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_DECODER_H
#define HEDDLE_CODEGEN_NV_EMULATION_DECODER_H

#include "codegen/nv/emulation/Code.h"
#include "codegen/nv/emulation/Syntax.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"

#include <array>
#include <map>

namespace heddle::ptx {

/// What a name stands for.
struct Symbol {
  enum Kind : uint8_t { Register, Variable, Function, Label };
  Kind Is = Register;
  Type Of; ///< of a register
  uint32_t Place =
      ~uint32_t(0);          ///< of a register: offset in the frame, once used
  Space In = Space::Generic; ///< of a variable
  uint64_t Offset = 0, Bytes = 0; ///< of a variable in its space
  SpecialKind Kind = SpecialKind::Variable;
  bool Fixed = true;   ///< the address is Offset; else that of a special value
  unsigned Number = 0; ///< global variable or function
};

/// Names of nested scopes; registers and constants of a function.
class FrameBuilder {
public:
  FrameBuilder(Function &Into, llvm::StringMap<Symbol> &Module)
      : Into(Into), Module(Module) {
    push();
  }

  void push() { Scopes.emplace_back(); }
  void pop() { Scopes.pop_back(); }
  /// Declares a name in the innermost scope. False: it is already there.
  bool declare(llvm::StringRef Name, Symbol What);
  /// Declares a name for the whole function.
  void declareOutermost(llvm::StringRef Name, Symbol What) {
    Scopes.front().Names.try_emplace(Name, What);
  }
  /// Declares %r<n>.
  void declareFamily(llvm::StringRef Prefix, unsigned Count, Type Of);
  /// Null: unknown. Registers get their place here.
  Symbol *find(llvm::StringRef Name);

  /// Frame offsets of a register without a name and of constants. Constants are
  /// marked until finish(), since they follow the last register.
  uint32_t scratch(Type Of);
  uint32_t constant(uint64_t Bits, Type Of);
  uint32_t special(Special What);
  /// Turns marked offsets into final ones.
  void finish();

  Function &Into;

private:
  struct Family {
    unsigned Count = 0;
    Type Of;
  };
  struct Scope {
    llvm::StringMap<Symbol> Names;
    llvm::StringMap<Family> Families;
  };
  uint32_t image(unsigned Bytes);

  llvm::StringMap<Symbol> &Module;
  std::vector<Scope> Scopes;
  std::map<std::pair<uint64_t, unsigned>, uint32_t> Constants;
  std::map<std::array<int64_t, 4>, uint32_t> SpecialPlaces;
};

/// Bytes of a register of all lanes.
unsigned registerBytes(Type Of);

/// One statement on its way to an instruction. The first error is kept; after
/// one, all functions still return something.
class Decoder {
public:
  Decoder(const Statement &From, FrameBuilder &Frame);

  // --- modifiers, in order, after the first word of the opcode ---
  /// The first word.
  llvm::StringRef name() const { return Words.front(); }
  /// Takes the modifier wherever it stands.
  bool take(llvm::StringRef Modifier);
  /// The next modifier that was not taken, or nothing.
  llvm::StringRef next() const;
  llvm::StringRef takeNext();
  /// Takes the next modifier, which must be a type.
  Type type();
  /// Takes the last modifier, which must be a type.
  Type lastType();
  /// Takes .global, .shared, .shared::cta ... if one stands there.
  Space space();
  /// Takes modifiers that do not matter to an emulator (cache hints).
  void ignore(std::initializer_list<llvm::StringRef> Modifiers);

  // --- operands ---
  unsigned count() const { return unsigned(From.Operands.size()); }
  const Operand &operand(unsigned N) const;
  /// Exactly that many operands.
  void expect(unsigned Count) { expect(Count, Count); }
  void expect(unsigned Least, unsigned Most);
  /// The frame offset of a source: a register of that width, a number or the
  /// address of a variable. `Wider`: a wider register will do (ld, st, cvt);
  /// its bytes per lane are returned there.
  uint32_t source(unsigned N, Type Of, unsigned *Wider = nullptr) {
    return source(operand(N), Of, Wider);
  }
  uint32_t source(const Operand &O, Type Of, unsigned *Wider = nullptr);
  /// A predicate, with its negation.
  uint32_t predicate(unsigned N, bool &Negated);
  /// The frame offset of a destination.
  uint32_t target(unsigned N, Type Of, unsigned *Wider = nullptr) {
    return target(operand(N), Of, Wider);
  }
  uint32_t target(const Operand &O, Type Of, unsigned *Wider = nullptr);
  /// The elements of a vector operand, or the operand itself.
  std::vector<const Operand *> elements(unsigned N) const;
  /// A number that must be known now.
  int64_t immediate(unsigned N);
  /// An address operand: sets the given operand of the instruction, Imm and
  /// Address32 in Flags.
  void address(unsigned N, unsigned Slot, Space In);
  /// Appends to Function::Operands.
  void more(uint32_t Place);

  void fail(const llvm::Twine &What);
  bool failed() const { return !Error.empty(); }
  bool allTaken() const;

  Inst I;
  const Statement &From;
  FrameBuilder &Frame;
  std::string Error;

private:
  llvm::SmallVector<llvm::StringRef, 8> Words;
  llvm::SmallVector<bool, 8> Taken;
};

using Decode = void (*)(Decoder &);
/// Instructions by the first word of their opcode.
using DecodeTable = llvm::StringMap<Decode>;

// Each adds the instructions of a chapter of the ISA.
void addIntegerInstructions(DecodeTable &Into);
void addBitInstructions(DecodeTable &Into);
void addFloatInstructions(DecodeTable &Into);
void addTranscendentalInstructions(DecodeTable &Into);
void addCompareInstructions(DecodeTable &Into);
void addConvertInstructions(DecodeTable &Into);
void addMoveInstructions(DecodeTable &Into);
void addMemoryInstructions(DecodeTable &Into);
void addAtomicInstructions(DecodeTable &Into);
void addControlInstructions(DecodeTable &Into);
void addWarpInstructions(DecodeTable &Into);
void addBarrierInstructions(DecodeTable &Into);
void addAsyncInstructions(DecodeTable &Into);
void addMatrixInstructions(DecodeTable &Into);
void addMbarrierInstructions(DecodeTable &Into);
void addWgmmaInstructions(DecodeTable &Into);
void addClusterInstructions(DecodeTable &Into);
/// cp.async.bulk, after these words.
void decodeBulkCopy(Decoder &D);
/// cp.async.mbarrier, after these words.
void decodeCopyArrive(Decoder &D);
/// fence.proxy and fence.mbarrier_init; barrier.cluster. False: it is neither.
bool decodeProxyFence(Decoder &D);
bool decodeClusterBarrier(Decoder &D);

/// bar.warp.sync, which shares its name with the barriers of the CTA.
void decodeWarpSync(Decoder &D);

/// All of them.
const DecodeTable &instructions();

} // namespace heddle::ptx

#endif
