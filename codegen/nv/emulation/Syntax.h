// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Words of PTX text, and statements made of them.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_SYNTAX_H
#define HEDDLE_CODEGEN_NV_EMULATION_SYNTAX_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace heddle::ptx {

/// A word: a name, opcode, directive or number with its dots; a quoted string
/// with its quotes; or one character of punctuation. The end of the text is an
/// empty word.
struct Token {
  llvm::StringRef Text;
  unsigned Line = 0;

  bool is(llvm::StringRef Word) const { return Text == Word; }
  bool end() const { return Text.empty(); }
};

/// Splits a text into words; comments count as space.
std::vector<Token> tokenize(llvm::StringRef Text);

/// An operand as it is written.
struct Operand {
  enum Kind : uint8_t {
    Name,   ///< a register, variable, label or function; Offset is added to its
            ///< address
    Number, ///< Bits; a float in its own format, an integer sign-extended
    Vector, ///< {Items}
    Address, ///< [Items[0] + Offset, Items[1], ...]
    Pair,    ///< Items[0] | Items[1]
    List,    ///< (Items)
    Sink     ///< _
  };
  Kind Is = Name;
  llvm::StringRef Text;
  uint64_t Bits = 0;
  int64_t Offset = 0;
  bool Negated = false; ///< !p
  /// For numbers: 0 an integer, 32 or 64 the width of a float.
  unsigned FloatWidth = 0;
  std::vector<Operand> Items;
};

/// [@[!]guard] opcode operands;
struct Statement {
  llvm::StringRef Guard;
  bool GuardNegated = false;
  llvm::StringRef Opcode;
  std::vector<Operand> Operands;
  unsigned Line = 0;
};

/// Reads the value of a number: decimal, 0x, 0b, octal, 0f and 0d floats, with
/// an optional U; nothing for other words. `FloatWidth` as in Operand.
std::optional<uint64_t> parseNumber(llvm::StringRef Word, unsigned &FloatWidth);

/// Walks over the words of a text.
class Cursor {
public:
  explicit Cursor(llvm::StringRef Text);

  const Token &peek(unsigned Ahead = 0) const;
  Token take();
  /// Takes the word if it is the next.
  bool accept(llvm::StringRef Word);
  /// Takes the word, or notes the error that another stands there.
  bool expect(llvm::StringRef Word);
  /// Notes the first error, with the line of the next word.
  void fail(const llvm::Twine &Message);
  bool failed() const { return !Message.empty(); }
  /// An integer, maybe negative.
  int64_t number();
  /// The rest of an instruction or call up to and with the ';'. The guard and
  /// opcode come first.
  Statement statement();
  /// One operand.
  Operand operand();

  unsigned ErrorLine = 0;
  std::string Message;

private:
  Operand list(Operand::Kind Is, llvm::StringRef Close);
  Operand address();
  std::vector<Token> Tokens;
  size_t Next = 0;
  unsigned Depth = 0; ///< of lists in lists
};

} // namespace heddle::ptx

#endif
