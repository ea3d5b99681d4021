// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// heddle: look at patterns, run them, keep their kernels.

#include "frontends/common/RunOptions.h"
#include "frontends/heddle/Commands.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <new>
#include <system_error>

using namespace heddle;
using namespace heddle::cli;

/// Exceptions that LLVM's code, which is compiled without them, lets through.
static int runGuarded(const Command &Chosen) {
  try {
    return Chosen.Run();
  } catch (const std::bad_alloc &) {
    return fail("out of memory");
  } catch (const std::system_error &Error) {
    return fail(Error.what());
  }
}

int main(int Argc, char **Argv) {
  CLI::App Program("Attention kernels from patterns.", "heddle");
  Program.set_version_flag("--version", "heddle " HEDDLE_VERSION);
  Program.require_subcommand(0, 1);
  Program.footer(
      "examples:\n"
      "  heddle show examples/a_shape.mlir --shape sq=4096,sk=4096\n"
      "  heddle run examples/a_shape.mlir --shape hq=8,hkv=2,sq=2048,d=64 "
      "--check\n"
      "  heddle compile examples/a_shape.mlir -o liba_shape.so --header "
      "a_shape.h\n"
      "\n"
      "exit codes: 0 done, 1 failed (a check that does not pass included), 2 "
      "wrong command line");
  const Command Commands[] = {
      addRunCommand(Program),     addExplainCommand(Program),
      addShowCommand(Program),    addCompileCommand(Program),
      addTargetsCommand(Program), addImportCommand(Program)};
  try {
    Program.parse(Argc, Argv);
  } catch (const CLI::ParseError &Error) {
    std::string Name = "heddle";
    for (const Command &C : Commands)
      if (C.Line->parsed())
        Name += " " + C.Line->get_name();
    return frontend::reportParseError(Program, Name, Error);
  }
  for (const Command &C : Commands)
    if (C.Line->parsed())
      return runGuarded(C);
  std::string Names;
  for (const Command &C : Commands)
    Names += (Names.empty() ? "" : ", ") + C.Line->get_name();
  std::fprintf(stderr,
               "heddle: error: expected a command, one of %s, found none; see "
               "heddle --help\n",
               Names.c_str());
  return 2;
}
