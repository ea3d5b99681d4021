// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Program.h"

#include "codegen/nv/emulation/Parser.h"

using namespace heddle::ptx;
using llvm::StringRef;

Program::Program() : Code(std::make_unique<Module>()) {}
Program::~Program() = default;

llvm::Expected<std::unique_ptr<Program>> Program::parse(StringRef Text,
                                                        StringRef Name) {
  std::unique_ptr<Program> Out(new Program());
  Module &Code = *Out->Code;
  Code.Name = Name.str();
  Parser Reader(Text, Code);
  if (Reader.run())
    return Out;
  StringRef Line = Code.line(Reader.line());
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "%s:%u: %s%s%s", Code.Name.c_str(),
                                 Reader.line(), Reader.message().c_str(),
                                 Line.empty() ? "" : ": ", Line.str().c_str());
}

const Kernel *Program::find(StringRef Entry) const {
  for (const Kernel &K : Code->Kernels)
    if (K.Name == Entry)
      return &K;
  return nullptr;
}

const std::vector<Kernel> &Program::kernels() const { return Code->Kernels; }
StringRef Program::target() const { return Code->Target; }
StringRef Program::name() const { return Code->Name; }
