// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What commands that make a kernel for one problem have in common: the options,
// and looking up what these name.

#ifndef HEDDLE_FRONTENDS_HEDDLE_KERNELARGUMENTS_H
#define HEDDLE_FRONTENDS_HEDDLE_KERNELARGUMENTS_H

#include "frontends/common/Inputs.h"
#include "frontends/common/RunOptions.h"
#include "frontends/common/Values.h"
#include "frontends/heddle/Commands.h"

namespace heddle::cli {

struct KernelArguments {
  PatternOptions Pattern;
  frontend::RunOptions Run;
  std::string Dtype = "f32", OutputDtype, Schedule;
  /// The first and the second, parsed.
  heddle_dtype Input = HEDDLE_F32, Output = HEDDLE_F32;
  std::vector<std::string> Targets;

  /// Everything that needs no file.
  ErrorText parse(CompileOptions &Build);
  /// What is allocated, as far as options say.
  frontend::TensorTypes types() const;
};

/// Declares the options on a command.
void addKernelOptions(CLI::App &Line, KernelArguments &Args);

/// A pattern with sizes and values.
struct Asked {
  LoadedPattern Loaded;
  frontend::Problem Sizes;
  frontend::PatternValues Values;
};

/// The options that mean nothing to the pattern or recurrence.
ErrorText checkMeaningful(const frontend::RunOptions &Options,
                          const LoadedPattern &Loaded);

/// Looks up everything that the options name. `Types` says what is to be
/// allocated, where anything is.
ErrorText ask(const Compiler &With, const frontend::RunOptions &Options,
              const frontend::TensorTypes &Types, bool Allocates, Asked &What);

/// What to compile: for this machine, or for the level that HEDDLE_LEVEL names.
void fillBuild(const KernelArguments &Args, const Asked &What,
               const frontend::TensorTypes &Types, CompileOptions &Build);

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_KERNELARGUMENTS_H
