// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Decoder.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <cstring>

using namespace heddle::ptx;
using llvm::StringRef;
using llvm::Twine;

Decoder::Decoder(const Statement &From, FrameBuilder &Frame)
    : From(From), Frame(Frame) {
  From.Opcode.split(Words, '.');
  Taken.assign(Words.size(), false);
  Taken.front() = true;
}

void Decoder::fail(const Twine &What) {
  if (!failed())
    Error = What.str();
}

bool Decoder::take(StringRef Modifier) {
  for (size_t I = 1; I < Words.size(); ++I)
    if (!Taken[I] && Words[I] == Modifier)
      return Taken[I] = true;
  return false;
}

StringRef Decoder::next() const {
  for (size_t I = 1; I < Words.size(); ++I)
    if (!Taken[I])
      return Words[I];
  return {};
}

StringRef Decoder::takeNext() {
  for (size_t I = 1; I < Words.size(); ++I)
    if (!Taken[I]) {
      Taken[I] = true;
      return Words[I];
    }
  return {};
}

bool Decoder::allTaken() const { return next().empty(); }

Type Decoder::type() {
  StringRef Word = takeNext();
  if (std::optional<Type> Known = parseType(Word))
    return *Known;
  fail(Word.empty() ? Twine("expected a type at the end of the opcode")
                    : "expected a type in the opcode, found '." + Word + "'");
  return B32;
}

Type Decoder::lastType() {
  for (size_t I = Words.size(); I-- > 1;)
    if (!Taken[I]) {
      Taken[I] = true;
      if (std::optional<Type> Known = parseType(Words[I]))
        return *Known;
      fail("expected a type at the end of the opcode, found '." + Words[I] +
           "'");
      return B32;
    }
  return type();
}

Space Decoder::space() {
  // Shared memory of other CTAs of a cluster is not there: a cluster has one
  // CTA.
  static constexpr std::pair<StringRef, Space> Names[] = {
      {"global", Space::Global},      {"shared", Space::Shared},
      {"shared::cta", Space::Shared}, {"shared::cluster", Space::Shared},
      {"const", Space::Const},        {"param", Space::Param},
      {"param::entry", Space::Param}, {"local", Space::Local},
      {"param::func", Space::Param}};
  for (auto [Name, In] : Names)
    if (take(Name))
      return In;
  return Space::Generic;
}

void Decoder::ignore(std::initializer_list<StringRef> Modifiers) {
  for (StringRef Modifier : Modifiers)
    take(Modifier);
}

const Operand &Decoder::operand(unsigned N) const {
  static const Operand None;
  return N < From.Operands.size() ? From.Operands[N] : None;
}

void Decoder::expect(unsigned Least, unsigned Most) {
  if (count() >= Least && count() <= Most)
    return;
  fail("expected " +
       (Least == Most ? Twine(Least) : Twine(Least) + " to " + Twine(Most)) +
       " operands, found " + Twine(count()));
}

/// The bits of a number in a type: floats may be written for any of them.
static uint64_t numberBits(const Operand &O, Type Of) {
  if (O.FloatWidth == 64 && Of.Width == 32) {
    double Value;
    std::memcpy(&Value, &O.Bits, sizeof(Value));
    float Narrow = float(Value);
    uint32_t Bits;
    std::memcpy(&Bits, &Narrow, sizeof(Bits));
    return Bits;
  }
  if (!O.FloatWidth && Of.isFloat() && Of.Width == 64) {
    double Value = double(int64_t(O.Bits));
    uint64_t Bits;
    std::memcpy(&Bits, &Value, sizeof(Bits));
    return Bits;
  }
  return O.Bits;
}

/// Special registers that never change during a kernel.
static std::optional<SpecialKind> specialRegister(StringRef Name) {
  return llvm::StringSwitch<std::optional<SpecialKind>>(Name)
      .Case("%tid.x", SpecialKind::TidX)
      .Case("%tid.y", SpecialKind::TidY)
      .Case("%tid.z", SpecialKind::TidZ)
      .Case("%ntid.x", SpecialKind::NtidX)
      .Case("%ntid.y", SpecialKind::NtidY)
      .Case("%ntid.z", SpecialKind::NtidZ)
      .Cases({"%ctaid.x", "%clusterid.x"}, SpecialKind::CtaidX)
      .Cases({"%ctaid.y", "%clusterid.y"}, SpecialKind::CtaidY)
      .Cases({"%ctaid.z", "%clusterid.z"}, SpecialKind::CtaidZ)
      .Cases({"%nctaid.x", "%nclusterid.x"}, SpecialKind::NctaidX)
      .Cases({"%nctaid.y", "%nclusterid.y"}, SpecialKind::NctaidY)
      .Cases({"%nctaid.z", "%nclusterid.z"}, SpecialKind::NctaidZ)
      .Case("%laneid", SpecialKind::Lane)
      .Case("%warpid", SpecialKind::WarpNumber)
      .Case("%nwarpid", SpecialKind::NumWarps)
      .Case("%lanemask_eq", SpecialKind::MaskEq)
      .Case("%lanemask_le", SpecialKind::MaskLe)
      .Case("%lanemask_lt", SpecialKind::MaskLt)
      .Case("%lanemask_ge", SpecialKind::MaskGe)
      .Case("%lanemask_gt", SpecialKind::MaskGt)
      .Case("%dynamic_smem_size", SpecialKind::DynamicSharedBytes)
      .Default(std::nullopt);
}

/// Special registers of clusters, which have one CTA.
static std::optional<uint64_t> clusterRegister(StringRef Name) {
  return llvm::StringSwitch<std::optional<uint64_t>>(Name)
      .Cases({"%cluster_ctaid.x", "%cluster_ctaid.y", "%cluster_ctaid.z",
              "%cluster_ctarank", "%is_explicit_cluster"},
             0)
      .Cases({"%cluster_nctaid.x", "%cluster_nctaid.y", "%cluster_nctaid.z",
              "%cluster_nctarank"},
             1)
      .Default(std::nullopt);
}

uint32_t Decoder::source(const Operand &O, Type Of, unsigned *Wider) {
  if (Wider)
    *Wider = std::max(2U, Of.bytes());
  if (O.Is == Operand::Number)
    return Frame.constant(numberBits(O, Of),
                          Wider ? Type{Of.Class, uint8_t(*Wider * 8), false}
                                : Of);
  if (O.Is != Operand::Name) {
    fail("expected a register or a number");
    return 0;
  }
  if (std::optional<uint64_t> Always = clusterRegister(O.Text))
    return Frame.constant(*Always, Of);
  if (std::optional<SpecialKind> Known = specialRegister(O.Text)) {
    Special What;
    What.Kind = *Known;
    What.Bytes = uint8_t(std::max(2U, Of.bytes()));
    return Frame.special(What);
  }
  Symbol *Known = Frame.find(O.Text);
  if (!Known) {
    fail("'" + O.Text + "' is not declared");
    return 0;
  }
  if (Known->Is == Symbol::Variable) {
    if (Of.Width < 32)
      fail("the address of '" + O.Text + "' needs 32 or 64 bits");
    if (Known->In == Space::Shared && Known->Fixed)
      Frame.Into.SharedEnd =
          std::max(Frame.Into.SharedEnd, Known->Offset + Known->Bytes);
    if (Known->Fixed)
      return Frame.constant(Known->Offset + O.Offset, Of);
    Special What;
    What.Kind = Known->Kind;
    What.Bytes = uint8_t(Of.bytes());
    What.Index = Known->Number;
    What.Addend = int64_t(Known->Offset) + O.Offset;
    return Frame.special(What);
  }
  if (Known->Is != Symbol::Register) {
    fail("'" + O.Text + "' is not a register");
    return 0;
  }
  bool Fits =
      Known->Of.Width == Of.Width || (Wider && Known->Of.Width > Of.Width);
  if (!Fits)
    fail("'" + O.Text + "' has " + Twine(unsigned(Known->Of.Width)) +
         " bits, the instruction reads " + Twine(unsigned(Of.Width)));
  if (O.Negated && !Of.isPredicate())
    fail("'!' before '" + O.Text + "', which is no predicate");
  if (Wider)
    *Wider = std::max(2U, Known->Of.bytes());
  return Known->Place;
}

uint32_t Decoder::predicate(unsigned N, bool &Negated) {
  Negated = operand(N).Negated;
  return source(N, Predicate);
}

uint32_t Decoder::target(const Operand &O, Type Of, unsigned *Wider) {
  if (Wider)
    *Wider = std::max(2U, Of.bytes());
  if (O.Is == Operand::Sink)
    return Frame.scratch(Of);
  Symbol *Known = O.Is == Operand::Name ? Frame.find(O.Text) : nullptr;
  if (!Known || Known->Is != Symbol::Register) {
    fail("expected a register to write to, found '" + O.Text + "'");
    return 0;
  }
  if (Known->Of.Width != Of.Width && !(Wider && Known->Of.Width > Of.Width))
    fail("'" + O.Text + "' has " + Twine(unsigned(Known->Of.Width)) +
         " bits, the instruction writes " + Twine(unsigned(Of.Width)));
  if (Wider)
    *Wider = std::max(2U, Known->Of.bytes());
  return Known->Place;
}

std::vector<const Operand *> Decoder::elements(unsigned N) const {
  const Operand &O = operand(N);
  if (O.Is != Operand::Vector)
    return {&O};
  std::vector<const Operand *> Out;
  for (const Operand &Item : O.Items)
    Out.push_back(&Item);
  return Out;
}

int64_t Decoder::immediate(unsigned N) {
  const Operand &O = operand(N);
  if (O.Is != Operand::Number || O.FloatWidth)
    fail("operand " + Twine(N + 1) + " must be a number");
  return int64_t(O.Bits);
}

void Decoder::address(unsigned N, unsigned Slot, Space In) {
  const Operand &O = operand(N);
  if (O.Is != Operand::Address) {
    fail("operand " + Twine(N + 1) + " must be an address in '[]'");
    return;
  }
  const Operand &Base = O.Items.front();
  I.Imm = O.Offset;
  Symbol *Known = Base.Is == Operand::Name ? Frame.find(Base.Text) : nullptr;
  if (Known && Known->Is == Symbol::Variable && In != Space::Generic &&
      Known->In != In) {
    fail("'" + Base.Text + "' lies in " + spaceName(Known->In) +
         " memory, the instruction accesses " + spaceName(In));
    return;
  }
  bool Narrow = Known && Known->Is == Symbol::Register && Known->Of.Width == 32;
  if (Narrow)
    I.Flags |= Address32;
  I.Op[Slot] = source(Base, Narrow ? B32 : B64);
}

void Decoder::more(uint32_t Place) { Frame.Into.Operands.push_back(Place); }

const DecodeTable &heddle::ptx::instructions() {
  static const DecodeTable Table = [] {
    DecodeTable Out;
    for (auto *Add :
         {addIntegerInstructions, addBitInstructions, addFloatInstructions,
          addTranscendentalInstructions, addCompareInstructions,
          addConvertInstructions, addMoveInstructions, addMemoryInstructions,
          addAtomicInstructions, addControlInstructions, addWarpInstructions,
          addBarrierInstructions, addAsyncInstructions, addMatrixInstructions,
          addMbarrierInstructions, addWgmmaInstructions,
          addClusterInstructions})
      Add(Out);
    return Out;
  }();
  return Table;
}
