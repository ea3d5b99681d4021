// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX text to decoded functions (PTX ISA, Syntax; Directives).

#ifndef HEDDLE_CODEGEN_NV_EMULATION_PARSER_H
#define HEDDLE_CODEGEN_NV_EMULATION_PARSER_H

#include "codegen/nv/emulation/Code.h"
#include "codegen/nv/emulation/Decoder.h"

#include <map>

namespace heddle::ptx {

class Parser {
public:
  Parser(llvm::StringRef Text, Module &Into);
  /// False: message() and line() say why.
  bool run();
  const std::string &message() const { return At.Message; }
  unsigned line() const { return At.ErrorLine; }

private:
  /// .align n .type name[n] of variables, parameters and registers.
  struct Declared {
    Type Of;
    uint64_t Align = 0, Bytes = 0;
    llvm::StringRef Name;
    bool Array = false, Unsized = false;
    uint64_t Count = 1; ///< elements; of name<n>: registers
    bool Family = false;
  };
  struct Linkage {
    bool External = false;
  };

  // --- the module ---
  void directive();
  void version();
  void file();
  void sectionOfModule();
  void moduleVariable(Space In, bool External);
  void initializer(GlobalVariable &Of, Type Each);
  void initialElement(GlobalVariable &Of, Type Each, uint64_t &Offset);
  void function(bool Entry, bool External);
  void performance(Kernel *Of);
  std::vector<Function::Slot> parameters(bool Entry, uint32_t &Bytes,
                                         uint64_t &Align);
  void link();
  void measure(unsigned Number);

  // --- a function ---
  void body(Function &Into);
  void bodyDirective(FrameBuilder &Frame);
  void registers(FrameBuilder &Frame);
  void local(FrameBuilder &Frame);
  void callParameter(FrameBuilder &Frame);
  void label(FrameBuilder &Frame, llvm::StringRef Name);
  void location();
  void instruction(FrameBuilder &Frame);
  void callInstruction(Decoder &D);
  void branchInstruction(Decoder &D);
  void indexedBranch(Decoder &D);
  void resolveLabels(Function &In);
  void emit(const Inst &I, unsigned Line);
  uint32_t slotOf(Decoder &D, const Operand &O);

  Declared declared();
  uint64_t allot(uint64_t &Total, const Declared &What);
  Symbol &functionSymbol(llvm::StringRef Name);

  Cursor At;
  Module &Into;
  llvm::StringMap<Symbol> Symbols;
  uint64_t SharedBytes = 0;
  std::vector<uint64_t> SharedEnds;
  unsigned Source = 0;
  std::map<unsigned, std::string> Files;
  std::map<std::pair<unsigned, unsigned>, unsigned> SourceNumbers;

  // Of the function being read. A label belongs to its scope: inline assembly
  // has labels of its own.
  Function *Current = nullptr;
  llvm::SmallVector<unsigned> Scopes;
  unsigned NumScopes = 0;
  std::map<std::pair<unsigned, llvm::StringRef>, uint32_t> Labels;
  std::map<std::pair<unsigned, llvm::StringRef>, std::vector<llvm::StringRef>>
      Targets;
  struct Fix {
    size_t Inst;
    std::vector<llvm::StringRef> To;
    bool Table;
    llvm::SmallVector<unsigned> Scopes;
    unsigned Line;
  };
  std::vector<Fix> Fixes;
  uint32_t CallBytes = 0;
  /// Calls of functions, for those that never get a body.
  std::vector<std::pair<unsigned, unsigned>> CallLines;
};

/// What control instructions do; the parser finds their targets.
void runBranch(WarpState &W, const Inst &I);
void runIndexedBranch(WarpState &W, const Inst &I);
void runCall(WarpState &W, const Inst &I);
void runEnd(WarpState &W, const Inst &I);

} // namespace heddle::ptx

#endif
