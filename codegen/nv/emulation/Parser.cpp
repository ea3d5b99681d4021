// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Directives of the module: variables, functions, what holds for launches.

#include "codegen/nv/emulation/Parser.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace heddle::ptx;
using llvm::StringRef;
using llvm::Twine;

Parser::Parser(StringRef Text, Module &Into) : At(Text), Into(Into) {
  llvm::SmallVector<StringRef> Lines;
  Text.split(Lines, '\n');
  for (StringRef Line : Lines)
    Into.Lines.push_back(Line.split("//").first.rtrim().str());
  Into.Sources.emplace_back();
}

bool Parser::run() {
  while (!At.failed() && !At.peek().end())
    directive();
  if (!At.failed())
    link();
  return !At.failed();
}

void Parser::version() {
  StringRef What = At.take().Text;
  if (What == ".version") {
    At.take();
    return;
  }
  if (What == ".address_size") {
    if (At.number() != 64)
      At.fail(
          "only 64-bit addresses are supported: expected '.address_size 64'");
    return;
  }
  Into.Target = At.take().Text.str();
  while (At.accept(","))
    At.take();
}

void Parser::file() {
  At.take();
  auto Number = unsigned(At.number());
  Files[Number] = At.take().Text.trim('"').str();
  // Time and size.
  while (At.accept(","))
    At.number();
}

/// Debug sections: bytes in braces.
void Parser::sectionOfModule() {
  while (!At.peek().end() && !At.accept("{"))
    At.take();
  while (!At.peek().end() && !At.accept("}"))
    At.take();
}

void Parser::directive() {
  bool External = false;
  while (true) {
    StringRef Word = At.peek().Text;
    if (Word == ".extern")
      External = true;
    else if (Word != ".visible" && Word != ".weak" && Word != ".common")
      break;
    At.take();
  }
  StringRef Word = At.peek().Text;
  if (Word == ".version" || Word == ".target" || Word == ".address_size")
    return version();
  if (Word == ".file")
    return file();
  if (Word == ".section")
    return sectionOfModule();
  if (At.accept(".entry"))
    return function(/*Entry=*/true, External);
  if (At.accept(".func"))
    return function(/*Entry=*/false, External);
  if (At.accept(".global"))
    return moduleVariable(Space::Global, External);
  if (At.accept(".const"))
    return moduleVariable(Space::Const, External);
  if (At.accept(".shared"))
    return moduleVariable(Space::Shared, External);
  if (At.accept(".pragma")) {
    At.take();
    At.expect(";");
    return;
  }
  At.fail("unknown directive '" + Word + "'");
}

Parser::Declared Parser::declared() {
  Declared Out;
  while (!At.failed()) {
    StringRef Word = At.peek().Text;
    if (At.accept(".align")) {
      Out.Align = uint64_t(At.number());
    } else if (Word == ".ptr" || Word == ".global" || Word == ".const" ||
               Word == ".shared" || Word == ".local" || Word == ".managed") {
      // .ptr .space .align n says where a pointer points; its .align is that of
      // what it points to.
      At.take();
      if (Word == ".ptr") {
        uint64_t Own = Out.Align;
        while (At.peek().Text.starts_with(".") && !At.peek().is(".align"))
          At.take();
        if (At.accept(".align"))
          At.number();
        Out.Align = Own;
      }
    } else if (std::optional<Type> Known =
                   parseType(Word.drop_front(Word.starts_with(".") ? 1 : 0));
               Known && Word.starts_with(".")) {
      At.take();
      Out.Of = *Known;
    } else {
      break;
    }
  }
  Out.Name = At.take().Text;
  if (Out.Name.empty() || !(llvm::isAlpha(Out.Name.front()) ||
                            StringRef("_$%").contains(Out.Name.front())))
    At.fail("expected a name, found '" + Out.Name + "'");
  if (At.accept("<")) {
    Out.Family = true;
    Out.Count = uint64_t(At.number());
    At.expect(">");
  }
  while (At.accept("[")) {
    Out.Array = true;
    if (At.accept("]")) {
      Out.Unsized = true;
      Out.Count = 0;
      continue;
    }
    auto Length = uint64_t(At.number());
    At.expect("]");
    if (Length && Out.Count > ~uint64_t(0) / 16 / Length)
      At.fail("the array '" + Out.Name + "' is too large");
    else
      Out.Count *= Length;
  }
  uint64_t Each = std::max(1U, Out.Of.bytes());
  Out.Bytes = Each * Out.Count;
  if (!Out.Align)
    Out.Align = Each;
  constexpr uint64_t MaxBytes = uint64_t(1) << 32, MaxAlign = 1 << 20;
  if (!llvm::isPowerOf2_64(Out.Align) || Out.Align > MaxAlign)
    At.fail("'" + Out.Name + "' has the alignment " + Twine(Out.Align) +
            ": expected a power of two up to " + Twine(MaxAlign));
  if (Out.Bytes > MaxBytes || Out.Count > MaxBytes)
    At.fail("'" + Out.Name + "' has more than " + Twine(MaxBytes) + " bytes");
  return Out;
}

uint64_t Parser::allot(uint64_t &Total, const Declared &What) {
  uint64_t Begin = llvm::alignTo(Total, What.Align);
  Total = Begin + What.Bytes;
  return Begin;
}

void Parser::moduleVariable(Space In, bool External) {
  do {
    Declared What = declared();
    if (At.failed())
      return;
    Symbol Known;
    Known.Is = Symbol::Variable;
    Known.In = In;
    Known.Bytes = What.Bytes;
    if (In == Space::Shared && (What.Unsized || External)) {
      Known.Fixed = false;
      Known.Kind = SpecialKind::DynamicShared;
      Into.DynamicSharedAlign = std::max(Into.DynamicSharedAlign, What.Align);
    } else if (In == Space::Shared) {
      Known.Offset = allot(SharedBytes, What);
    } else {
      Known.Fixed = false;
      Known.Kind = SpecialKind::Variable;
      Known.Number = unsigned(Into.Variables.size());
      GlobalVariable &V = Into.Variables.emplace_back();
      V.Name = What.Name.str();
      V.ReadOnly = In == Space::Const;
      V.External = External;
      V.Bytes = What.Bytes;
      V.Align = What.Align;
      if (External)
        At.fail("'" + What.Name +
                "' lies in another module, which cannot be linked here");
      if (At.accept("=")) {
        initializer(V, What.Of);
        if (What.Unsized)
          V.Bytes = V.Initial.size();
      }
    }
    if (!Symbols.try_emplace(What.Name, Known).second)
      At.fail("'" + What.Name + "' is declared twice");
  } while (At.accept(","));
  At.expect(";");
}

void Parser::initializer(GlobalVariable &Of, Type Each) {
  uint64_t Offset = 0;
  unsigned Depth = 0;
  do {
    while (At.accept("{"))
      ++Depth;
    if (!At.peek().is("}"))
      initialElement(Of, Each, Offset);
    while (Depth && At.accept("}"))
      --Depth;
  } while (!At.failed() && Depth && At.accept(","));
  if (Depth)
    At.expect("}");
}

void Parser::initialElement(GlobalVariable &Of, Type Each, uint64_t &Offset) {
  bool Generic = At.peek().is("generic") && At.peek(1).is("(");
  if (Generic)
    At.take(), At.take();
  Operand Value = At.operand();
  if (Generic) {
    At.expect(")");
    if (At.accept("+"))
      Value.Offset += At.number();
  }
  if (Each.isPredicate())
    return At.fail("a variable cannot be of type '.pred'");
  uint64_t End = Offset + Each.bytes();
  if (Of.Initial.size() < End)
    Of.Initial.resize(End);
  if (Value.Is == Operand::Number)
    std::memcpy(Of.Initial.data() + Offset, &Value.Bits,
                std::min(Each.bytes(), 8U));
  else if (Value.Is == Operand::Name && Each.Width == 64)
    Of.Pointers.push_back({Offset, Value.Text.str(), Value.Offset});
  else
    At.fail(
        "expected a number or the name of a variable in the initialiser of '" +
        Twine(Of.Name) + "'");
  Offset = End;
}

void Parser::performance(Kernel *Of) {
  while (!At.failed()) {
    StringRef Word = At.peek().Text;
    bool Most = Word == ".maxntid", Exactly = Word == ".reqntid";
    if (Most || Exactly) {
      At.take();
      uint32_t *To = !Of    ? nullptr
                     : Most ? Of->MaxThreads
                            : Of->RequiredThreads;
      uint32_t Read[3] = {uint32_t(At.number()), 1, 1};
      for (unsigned I = 1; At.accept(",") && I < 3; ++I)
        Read[I] = uint32_t(At.number());
      if (To)
        llvm::copy(Read, To);
    } else if (Word == ".minnctapersm" || Word == ".maxnctapersm" ||
               Word == ".maxnreg" || Word == ".maxclusterrank") {
      At.take();
      At.number();
    } else if (Word == ".reqnctapercluster") {
      At.take();
      bool One = At.number() == 1;
      while (At.accept(","))
        One &= At.number() == 1;
      if (!One)
        At.fail("clusters of more than one CTA are not supported");
    } else if (Word == ".explicitcluster" || Word == ".blocksareclusters" ||
               Word == ".noreturn") {
      At.take();
    } else if (At.accept(".pragma")) {
      At.take();
      At.expect(";");
    } else {
      return;
    }
  }
}

std::vector<Function::Slot> Parser::parameters(bool Entry, uint32_t &Bytes,
                                               uint64_t &Align) {
  std::vector<Function::Slot> Out;
  if (!At.accept("("))
    return Out;
  while (!At.failed() && !At.peek().is(")")) {
    if (!At.accept(".param")) {
      At.fail(Entry ? "expected '.param'"
                    : "expected '.param': functions with arguments in "
                      "registers are not supported");
      return Out;
    }
    Declared What = declared();
    uint64_t Total = Bytes;
    constexpr uint64_t MaxParameters = 32764;
    if (Total + What.Bytes > MaxParameters) {
      At.fail("more than " + Twine(MaxParameters) + " bytes of parameters");
      return Out;
    }
    auto Offset = uint32_t(allot(Total, What));
    Bytes = uint32_t(Total);
    Align = std::max(Align, What.Align);
    Out.push_back(
        {What.Name.str(), Offset, uint32_t(What.Bytes), uint32_t(What.Align)});
    if (!At.accept(","))
      break;
  }
  At.expect(")");
  return Out;
}

Symbol &Parser::functionSymbol(StringRef Name) {
  auto [Known, New] = Symbols.try_emplace(Name);
  if (New) {
    Known->second.Is = Symbol::Function;
    Known->second.Number = unsigned(Into.Functions.size());
    Into.Functions.emplace_back().Name = Name.str();
  }
  return Known->second;
}

void Parser::function(bool Entry, bool External) {
  uint32_t Bytes = 0;
  uint64_t Align = 1;
  std::vector<Function::Slot> Results;
  if (!Entry && At.peek().is("("))
    Results = parameters(Entry, Bytes, Align);
  StringRef Name = At.take().Text;
  Symbol &Known = functionSymbol(Name);
  if (Known.Is != Symbol::Function)
    return At.fail("'" + Name + "' is declared twice");
  std::vector<Function::Slot> Parameters = parameters(Entry, Bytes, Align);
  Function &F = Into.Functions[Known.Number];
  if (F.Defined)
    return At.fail("'" + Name + "' is defined twice");
  F.Entry = Entry;
  F.Results = std::move(Results);
  F.Parameters = std::move(Parameters);
  CallBytes = Entry ? 0 : Bytes;
  Kernel K;
  performance(&K);
  if (At.accept(";"))
    return;
  if (External)
    return At.fail("an external function cannot have a body");
  F.Defined = true;
  if (Entry) {
    K.Name = Name.str();
    K.Function = Known.Number;
    K.ParameterBytes = Bytes;
    K.ParameterAlign = Align;
    for (const Function::Slot &P : F.Parameters)
      K.ParameterOffsets.push_back(P.Offset);
    Into.Kernels.push_back(K);
  }
  // What a body calls is declared before it, so that `F` does not move.
  body(F);
}

/// What an entry needs together with all that it calls.
void Parser::measure(unsigned Number) {
  Kernel &K = Into.Kernels[Number];
  std::vector<int64_t> Depth(Into.Functions.size(), -1);
  K.Registers = Into.Functions[K.Function].NumRegisters;
  std::vector<std::pair<unsigned, int64_t>> Work = {{K.Function, 0}};
  while (!Work.empty()) {
    auto [At, Below] = Work.back();
    Work.pop_back();
    const Function &F = Into.Functions[At];
    // Recursion ends the chain.
    constexpr int64_t Deepest = int64_t(1) << 16;
    if (Depth[At] >= Below || Below > Deepest)
      continue;
    Depth[At] = Below;
    int64_t Own = int64_t(llvm::alignTo(F.LocalBytes, 16));
    K.LocalBytes = std::max(K.LocalBytes, uint64_t(Below + Own));
    K.SharedBytes = std::max(K.SharedBytes, F.SharedEnd);
    for (unsigned Callee : F.Callees)
      Work.emplace_back(Callee, Below + Own);
  }
}

void Parser::link() {
  for (auto [Line, Callee] : CallLines)
    if (!Into.Functions[Callee].Defined) {
      At.fail("the function '" + Twine(Into.Functions[Callee].Name) +
              "' has no body in this module");
      At.ErrorLine = Line;
      return;
    }
  for (const auto &[Place, Number] : SourceNumbers) {
    auto Name = Files.find(Place.first);
    if (Number)
      Into.Sources[Number] =
          (Name == Files.end() ? std::string("?") : Name->second) + ":" +
          std::to_string(Place.second);
  }
  for (unsigned K = 0; K < Into.Kernels.size(); ++K)
    measure(K);
}
