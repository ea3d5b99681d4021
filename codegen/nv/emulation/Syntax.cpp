// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Syntax.h"

#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace heddle::ptx;
using llvm::StringRef;

static bool isWordCharacter(char C) {
  return llvm::isAlnum(C) || C == '_' || C == '$' || C == '%' || C == '.';
}

namespace {
/// A text, and how far it is split.
class Splitter {
public:
  explicit Splitter(StringRef Text) : Text(Text) {}

  std::vector<Token> run() {
    std::vector<Token> Out;
    for (skipSpace(); At < Text.size(); skipSpace())
      Out.push_back({Text.substr(At, length()), Line}),
          At += Out.back().Text.size();
    Out.push_back({StringRef(), Line});
    return Out;
  }

private:
  void skipSpace() {
    while (At < Text.size()) {
      StringRef Rest = Text.substr(At);
      size_t Length = llvm::isSpace(Rest.front()) ? 1 : 0;
      if (Rest.starts_with("//"))
        Length = std::min(Rest.find('\n'), Rest.size());
      else if (Rest.starts_with("/*"))
        Length = std::min(Rest.find("*/", 2), Rest.size() - 2) + 2;
      if (!Length)
        return;
      Line += Rest.take_front(Length).count('\n');
      At += Length;
    }
  }
  /// Bytes of the word at the current place.
  size_t length() const {
    StringRef Rest = Text.substr(At);
    if (Rest.front() == '"')
      return std::min(Rest.find('"', 1), Rest.size() - 1) + 1;
    size_t Length = 0;
    while (Length < Rest.size()) {
      if (isWordCharacter(Rest[Length]))
        ++Length;
      else if (Length && Rest.substr(Length).starts_with("::"))
        Length += 2; // shared::cta
      else
        break;
    }
    return std::max<size_t>(Length, 1);
  }

  StringRef Text;
  size_t At = 0;
  unsigned Line = 1;
};
} // namespace

std::vector<Token> heddle::ptx::tokenize(StringRef Text) {
  return Splitter(Text).run();
}

std::optional<uint64_t> heddle::ptx::parseNumber(StringRef Word,
                                                 unsigned &FloatWidth) {
  FloatWidth = 0;
  if (Word.empty() || !llvm::isDigit(Word.front()))
    return std::nullopt;
  uint64_t Bits = 0;
  StringRef Head = Word.take_front(2);
  if (Head.equals_insensitive("0f") || Head.equals_insensitive("0d")) {
    FloatWidth = llvm::toLower(Head[1]) == 'f' ? 32 : 64;
    if (Word.size() != 2 + FloatWidth / 4 ||
        Word.drop_front(2).getAsInteger(16, Bits))
      return std::nullopt;
    return Bits;
  }
  StringRef Digits = Word;
  if (!Digits.consume_back("U"))
    Digits.consume_back("u");
  if (!Digits.getAsInteger(0, Bits))
    return Bits;
  // A decimal float is a double.
  double Value = 0;
  if (Word.contains('.') && !Word.getAsDouble(Value)) {
    FloatWidth = 64;
    std::memcpy(&Bits, &Value, sizeof(Bits));
    return Bits;
  }
  return std::nullopt;
}

Cursor::Cursor(StringRef Text) : Tokens(tokenize(Text)) {}

const Token &Cursor::peek(unsigned Ahead) const {
  return Tokens[std::min(Next + Ahead, Tokens.size() - 1)];
}

Token Cursor::take() {
  Token Taken = peek();
  if (Next + 1 < Tokens.size())
    ++Next;
  return Taken;
}

bool Cursor::accept(StringRef Word) {
  if (!peek().is(Word))
    return false;
  take();
  return true;
}

bool Cursor::expect(StringRef Word) {
  if (accept(Word))
    return true;
  fail("expected '" + Word + "', found '" +
       (peek().end() ? StringRef("the end") : peek().Text) + "'");
  return false;
}

void Cursor::fail(const llvm::Twine &What) {
  if (failed())
    return;
  Message = What.str();
  ErrorLine = peek().Line;
}

int64_t Cursor::number() {
  bool Negative = accept("-");
  unsigned FloatWidth = 0;
  std::optional<uint64_t> Bits = parseNumber(peek().Text, FloatWidth);
  if (!Bits || FloatWidth) {
    fail("expected an integer, found '" + peek().Text + "'");
    return 0;
  }
  take();
  return Negative ? -int64_t(*Bits) : int64_t(*Bits);
}

Operand Cursor::list(Operand::Kind Is, StringRef Close) {
  Operand Out;
  Out.Is = Is;
  constexpr unsigned MaxDepth = 16;
  if (++Depth > MaxDepth)
    fail("brackets are nested too deep");
  while (!failed() && !peek().is(Close)) {
    Out.Items.push_back(operand());
    if (!accept(","))
      break;
  }
  --Depth;
  expect(Close);
  return Out;
}

Operand Cursor::address() {
  Operand Out = list(Operand::Address, "]");
  if (Out.Items.empty())
    fail("expected an address inside '[]'");
  else
    std::swap(Out.Offset, Out.Items.front().Offset);
  return Out;
}

Operand Cursor::operand() {
  Operand Out;
  if (accept("{"))
    return list(Operand::Vector, "}");
  if (accept("["))
    return address();
  if (accept("("))
    return list(Operand::List, ")");
  if (accept("!"))
    Out.Negated = true;
  bool Minus = accept("-");
  Token Word = take();
  Out.Text = Word.Text;
  if (std::optional<uint64_t> Bits = parseNumber(Word.Text, Out.FloatWidth)) {
    Out.Is = Operand::Number;
    Out.Bits = *Bits;
    if (Minus)
      Out.Bits = Out.FloatWidth ? *Bits ^ (uint64_t(1) << (Out.FloatWidth - 1))
                                : -*Bits;
    return Out;
  }
  if (Minus || Word.end() || !isWordCharacter(Word.Text.front())) {
    fail("expected an operand, found '" + Word.Text + "'");
    return Out;
  }
  if (Word.is("_"))
    Out.Is = Operand::Sink;
  if (peek().is("+") || (peek().is("-") && Out.Is == Operand::Name)) {
    bool Down = take().is("-");
    int64_t By = number();
    Out.Offset = Down ? -By : By;
  }
  if (accept("|")) {
    Operand Both;
    Both.Is = Operand::Pair;
    Both.Items.push_back(Out);
    Both.Items.push_back(operand());
    return Both;
  }
  return Out;
}

Statement Cursor::statement() {
  Statement Out;
  Out.Line = peek().Line;
  if (accept("@")) {
    Out.GuardNegated = accept("!");
    Out.Guard = take().Text;
  }
  Out.Opcode = take().Text;
  while (!failed() && !peek().is(";")) {
    Out.Operands.push_back(operand());
    if (!accept(","))
      break;
  }
  expect(";");
  return Out;
}
