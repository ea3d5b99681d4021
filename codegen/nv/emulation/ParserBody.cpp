// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bodies of functions: declarations, labels and instructions.

#include "codegen/nv/emulation/Parser.h"

#include "llvm/Support/MathExtras.h"

using namespace heddle::ptx;
using llvm::StringRef;
using llvm::Twine;

void Parser::emit(const Inst &I, unsigned Line) {
  Current->Code.push_back(I);
  Current->Places.push_back({Line, Source});
}

void Parser::body(Function &F) {
  Current = &F;
  Source = 0;
  Labels.clear();
  Targets.clear();
  Fixes.clear();
  NumScopes = 0;
  Scopes = {NumScopes++};
  FrameBuilder Frame(F, Symbols);
  auto Declare = [&](const std::vector<Function::Slot> &Slots) {
    for (const Function::Slot &S : Slots) {
      Symbol Known;
      Known.Is = Symbol::Variable;
      Known.In = Space::Param;
      Known.Offset = S.Offset + (F.Entry ? 0 : CallParams);
      Known.Bytes = S.Bytes;
      Frame.declare(S.Name, Known);
    }
  };
  Declare(F.Parameters);
  Declare(F.Results);
  At.expect("{");
  while (!At.failed() && !Scopes.empty()) {
    if (At.accept("{")) {
      Scopes.push_back(NumScopes++);
      Frame.push();
    } else if (At.accept("}")) {
      Scopes.pop_back();
      if (!Scopes.empty())
        Frame.pop();
    } else if (At.peek().end()) {
      At.fail("the body of '" + Twine(F.Name) + "' does not end");
    } else if (At.accept(";")) {
      // An empty statement.
    } else if (At.peek().Text.starts_with(".")) {
      bodyDirective(Frame);
    } else if (At.peek(1).is(":")) {
      StringRef Name = At.take().Text;
      At.take();
      label(Frame, Name);
    } else {
      instruction(Frame);
    }
  }
  Inst End;
  End.Run = runEnd;
  emit(End, F.Places.empty() ? 0 : F.Places.back().Line);
  if (!At.failed())
    resolveLabels(F);
  F.ParamBytes = CallBytes;
  Frame.finish();
}

void Parser::bodyDirective(FrameBuilder &Frame) {
  if (At.accept(".reg"))
    return registers(Frame);
  if (At.accept(".local"))
    return local(Frame);
  if (At.accept(".param"))
    return callParameter(Frame);
  if (At.accept(".loc"))
    return location();
  if (At.accept(".pragma")) {
    At.take();
    At.expect(";");
    return;
  }
  if (At.accept(".shared")) {
    Declared What = declared();
    Symbol Known;
    Known.Is = Symbol::Variable;
    Known.In = Space::Shared;
    Known.Bytes = What.Bytes;
    Known.Offset = allot(SharedBytes, What);
    Current->SharedEnd = std::max(Current->SharedEnd, SharedBytes);
    Frame.declare(What.Name, Known);
    At.expect(";");
    return;
  }
  At.fail("unknown directive '" + At.peek().Text + "'");
}

void Parser::registers(FrameBuilder &Frame) {
  Declared What = declared();
  while (!At.failed()) {
    Symbol Known;
    Known.Of = What.Of;
    if (What.Family)
      Frame.declareFamily(What.Name, unsigned(What.Count), What.Of);
    else if (!Frame.declare(What.Name, Known))
      At.fail("'" + What.Name + "' is declared twice");
    if (!At.accept(","))
      break;
    Type Of = What.Of;
    What = declared();
    What.Of = Of;
  }
  At.expect(";");
}

void Parser::local(FrameBuilder &Frame) {
  Declared What = declared();
  uint64_t Total = Current->LocalBytes;
  Symbol Known;
  Known.Is = Symbol::Variable;
  Known.In = Space::Local;
  Known.Fixed = false;
  Known.Kind = SpecialKind::Local;
  Known.Bytes = What.Bytes;
  Known.Offset = allot(Total, What);
  if (Total > MaxLocalBytes)
    return At.fail("'" + Twine(Current->Name) + "' has " + Twine(Total) +
                   " bytes of local memory: a thread can have " +
                   Twine(MaxLocalBytes));
  Current->LocalBytes = uint32_t(Total);
  if (!Frame.declare(What.Name, Known))
    At.fail("'" + What.Name + "' is declared twice");
  At.expect(";");
}

void Parser::callParameter(FrameBuilder &Frame) {
  Declared What = declared();
  uint64_t Total = CallBytes;
  constexpr uint64_t MaxParameters = 1 << 20;
  if (What.Bytes > MaxParameters)
    return At.fail("'" + What.Name + "' is too large for a parameter");
  Symbol Known;
  Known.Is = Symbol::Variable;
  Known.In = Space::Param;
  Known.Bytes = What.Bytes;
  Known.Offset = CallParams + allot(Total, What);
  CallBytes = uint32_t(Total);
  if (!Frame.declare(What.Name, Known))
    At.fail("'" + What.Name + "' is declared twice");
  At.expect(";");
}

void Parser::label(FrameBuilder &Frame, StringRef Name) {
  std::pair<unsigned, StringRef> Key = {Scopes.back(), Name};
  if (At.accept(".branchtargets")) {
    std::vector<StringRef> &To = Targets[Key];
    do
      To.push_back(At.take().Text);
    while (At.accept(","));
    At.expect(";");
    return;
  }
  if (At.peek().is(".callprototype") || At.peek().is(".calltargets"))
    return At.fail("calls through pointers are not supported");
  if (!Labels.try_emplace(Key, uint32_t(Current->Code.size())).second)
    At.fail("the label '" + Name + "' is there twice");
}

/// .loc file line column[, function_name ..., inlined_at ...]
void Parser::location() {
  auto File = unsigned(At.number()), Line = unsigned(At.number());
  At.number();
  while (At.accept(",")) {
    At.take();
    while (!At.failed() && !At.peek().is(",") &&
           At.peek().Line == At.peek(1).Line && !At.peek().end())
      At.take();
  }
  unsigned &Known = SourceNumbers[{File, Line}];
  if (!Known && Line) {
    Known = unsigned(Into.Sources.size());
    // Its name may come later.
    Into.Sources.emplace_back();
  }
  Source = Known;
}

void Parser::instruction(FrameBuilder &Frame) {
  Statement S = At.statement();
  if (At.failed())
    return;
  Decoder D(S, Frame);
  if (!S.Guard.empty()) {
    Symbol *Known = Frame.find(S.Guard);
    if (!Known || Known->Is != Symbol::Register || !Known->Of.isPredicate())
      D.fail("'" + S.Guard + "' is not a predicate");
    else
      D.I.Guard = Known->Place;
    D.I.GuardNegated = S.GuardNegated;
  }
  D.I.More = uint32_t(Current->Operands.size());
  if (D.name() == "call")
    callInstruction(D);
  else if (D.name() == "bra")
    branchInstruction(D);
  else if (D.name() == "brx")
    indexedBranch(D);
  else if (auto Known = instructions().find(D.name());
           Known != instructions().end())
    Known->second(D);
  else
    D.fail("unknown instruction '" + S.Opcode + "'");
  if (!D.failed() && !D.allTaken())
    D.fail("unknown modifier '." + D.next() + "' of '" + D.name() + "'");
  if (!D.failed() && !D.I.Run)
    D.fail("unknown instruction '" + S.Opcode + "'");
  if (D.failed()) {
    At.fail(D.Error);
    At.ErrorLine = S.Line;
    return;
  }
  emit(D.I, S.Line);
}

uint32_t Parser::slotOf(Decoder &D, const Operand &O) {
  Symbol *Known = O.Is == Operand::Name ? D.Frame.find(O.Text) : nullptr;
  if (!Known || Known->Is != Symbol::Variable || Known->In != Space::Param ||
      Known->Offset < CallParams)
    D.fail("arguments and results of calls must be '.param' variables");
  return Known ? uint32_t(Known->Offset - CallParams) : 0;
}

void Parser::callInstruction(Decoder &D) {
  D.take("uni");
  unsigned Next = 0;
  std::vector<uint32_t> Results, Arguments;
  if (D.operand(0).Is == Operand::List && D.count() > 1)
    for (const Operand &O : D.operand(Next++).Items)
      Results.push_back(slotOf(D, O));
  const Operand &Callee = D.operand(Next++);
  if (Next < D.count() && D.operand(Next).Is == Operand::List)
    for (const Operand &O : D.operand(Next++).Items)
      Arguments.push_back(slotOf(D, O));
  auto Known = Symbols.find(Callee.Text);
  if (Next != D.count() || Known == Symbols.end() ||
      Known->second.Is != Symbol::Function)
    return D.fail("'" + Callee.Text +
                  "' is not a function that is declared before; calls through "
                  "pointers are not supported");
  unsigned Number = Known->second.Number;
  const Function &To = Into.Functions[Number];
  if (To.Results.size() != Results.size() ||
      To.Parameters.size() != Arguments.size())
    return D.fail("'" + Twine(To.Name) + "' has " +
                  Twine(To.Parameters.size()) + " arguments and " +
                  Twine(To.Results.size()) + " results");
  for (uint32_t Slot : Results)
    D.more(Slot);
  for (uint32_t Slot : Arguments)
    D.more(Slot);
  D.I.Aux = Number;
  D.I.Run = runCall;
  Current->Callees.push_back(Number);
  CallLines.emplace_back(D.From.Line, Number);
}

void Parser::branchInstruction(Decoder &D) {
  D.take("uni");
  D.expect(1);
  Fixes.push_back(
      {Current->Code.size(), {D.operand(0).Text}, false, Scopes, D.From.Line});
  D.I.Run = runBranch;
}

void Parser::indexedBranch(Decoder &D) {
  D.take("idx");
  D.take("uni");
  D.expect(2);
  D.I.Op[0] = D.source(0, B32);
  for (unsigned Scope : llvm::reverse(Scopes)) {
    auto Known = Targets.find({Scope, D.operand(1).Text});
    if (Known == Targets.end())
      continue;
    D.I.Aux = uint32_t(Known->second.size());
    Fixes.push_back(
        {Current->Code.size(), Known->second, true, Scopes, D.From.Line});
    // Places of the targets, known once the body is read.
    for (uint32_t N = 0; N < D.I.Aux; ++N)
      D.more(0);
    D.I.Run = runIndexedBranch;
    return;
  }
  D.fail("'" + D.operand(1).Text + "' is no list of branch targets");
}

void Parser::resolveLabels(Function &In) {
  for (const Fix &F : Fixes) {
    Inst &I = In.Code[F.Inst];
    for (size_t N = 0; N < F.To.size(); ++N) {
      auto Known = Labels.end();
      for (unsigned Scope : llvm::reverse(F.Scopes))
        if (Known == Labels.end())
          Known = Labels.find({Scope, F.To[N]});
      if (Known == Labels.end()) {
        At.fail("the label '" + F.To[N] + "' is not in this function");
        At.ErrorLine = F.Line;
        return;
      }
      if (F.Table)
        In.Operands[I.More + N] = Known->second;
      else
        I.Imm = Known->second;
    }
  }
}
