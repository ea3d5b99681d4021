// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of the benchmark that runs Heddle. Reads one JSON object per line
// from standard input and answers each with one on standard output; an answer
// with "error" says what went wrong. bench/README.md lists the requests.

#include "bench/worker/Case.h"
#include "codegen/cpu/FmaPeak.h"
#include "codegen/cpu/ReadBandwidth.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"

#include <chrono>
#include <fmt/format.h>
#include <iostream>
#include <memory>
#include <string>

using namespace heddle;
using namespace heddle::bench;

namespace json = llvm::json;

namespace {

class Worker {
public:
  /// Carries out a request.
  ErrorText answer(const json::Object &Asked, json::Object &Out);

private:
  ErrorText answerAboutCase(llvm::StringRef What, const json::Object &Asked,
                            json::Object &Out);
  ErrorText compile(const json::Object &Asked, json::Object &Out);

  Compiler With;
  llvm::StringMap<std::unique_ptr<Case>> Cases;
};

} // namespace

static json::Array describeLevels() {
  json::Array Levels;
  for (const LevelInfo &L : listLevels())
    Levels.push_back(json::Object{{"target", L.Target},
                                  {"name", L.Name},
                                  {"features", json::Array(L.Features)},
                                  {"missing", json::Array(L.Missing)}});
  return Levels;
}

/// Text to callable function, in this process.
ErrorText Worker::compile(const json::Object &Asked, json::Object &Out) {
  CompileOptions Build;
  Build.Pattern = Asked.getString("pattern").value_or("").str();
  Build.HeadDimQk = Asked.getInteger("d").value_or(64);
  const auto Start = std::chrono::steady_clock::now();
  Result<Source> Text =
      With.parseFile(Asked.getString("file").value_or("").str());
  if (!Text)
    return Text.failure().str();
  Result<Program> Made = With.jit(*Text, Build);
  if (!Made)
    return Made.failure().str();
  const std::chrono::duration<double, std::milli> Spent =
      std::chrono::steady_clock::now() - Start;
  Out["ms"] = Spent.count();
  json::Object Parts;
  for (const auto &[Name, Milliseconds] : cli::listTimings(Made->timings()))
    Parts[Name] = Milliseconds;
  Out["parts"] = std::move(Parts);
  return std::nullopt;
}

ErrorText Worker::answerAboutCase(llvm::StringRef What,
                                  const json::Object &Asked,
                                  json::Object &Out) {
  const llvm::StringRef Id = Asked.getString("id").value_or("");
  if (What == "prepare") {
    auto Made = std::make_unique<Case>();
    if (ErrorText Bad = Made->prepare(With, Asked))
      return Bad;
    Out = Made->facts();
    Cases[Id] = std::move(Made);
    return std::nullopt;
  }
  auto Found = Cases.find(Id);
  if (Found == Cases.end())
    return fmt::format("no case is called '{}'", Id.str());
  Case &Of = *Found->second;
  if (What == "time")
    return Of.time(Asked.getNumber("at_least_ms").value_or(0),
                   Asked.getBoolean("plan").value_or(false), Out);
  if (What == "read")
    return Of.readKeys(Out);
  if (What == "save")
    return Of.save(Asked.getString("directory").value_or(".").str());
  // "finish"
  Out["unchanged"] = Of.isUnchanged();
  Cases.erase(Found);
  return std::nullopt;
}

ErrorText Worker::answer(const json::Object &Asked, json::Object &Out) {
  const llvm::StringRef What = Asked.getString("do").value_or("");
  const int Threads = static_cast<int>(Asked.getInteger("threads").value_or(1));
  if (What == "hello") {
    Out["version"] = heddle_version();
    Out["levels"] = describeLevels();
    Out["processor"] = llvm::sys::getHostCPUName();
    return std::nullopt;
  }
  if (What == "peak") {
    Out["gflops"] = cpu::measureFmaPeak(Threads);
    return std::nullopt;
  }
  if (What == "bandwidth") {
    Out["gb_per_s"] = cpu::measureReadBandwidth(Threads);
    return std::nullopt;
  }
  if (What == "compile")
    return compile(Asked, Out);
  for (const char *Known : {"prepare", "time", "read", "save", "finish"})
    if (What == Known)
      return answerAboutCase(What, Asked, Out);
  return fmt::format("'do' is '{}', expected hello, peak, bandwidth, compile, "
                     "prepare, time, read, save or finish",
                     What.str());
}

int main(int Argc, char **) {
  if (Argc > 1) {
    fmt::print(stderr, "heddle-bench-worker: error: expected no arguments; "
                       "bench/run.py starts this program\n");
    return 2;
  }
  Worker Main;
  std::string Line;
  while (std::getline(std::cin, Line)) {
    json::Object Out;
    llvm::Expected<json::Value> Asked = json::parse(Line);
    ErrorText Bad;
    if (!Asked)
      Bad = llvm::toString(Asked.takeError());
    else if (const json::Object *Request = Asked->getAsObject())
      Bad = Main.answer(*Request, Out);
    else
      Bad = "expected a JSON object";
    if (Bad)
      Out = json::Object{{"error", json::fixUTF8(*Bad)}};
    llvm::outs() << json::Value(std::move(Out)) << '\n';
    llvm::outs().flush();
  }
  return 0;
}
