// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Diagnostics.h"

using namespace heddle;

static const char *severityName(Diagnostic::Severity Kind) {
  switch (Kind) {
  case Diagnostic::Severity::Error:
    return "error";
  case Diagnostic::Severity::Warning:
    return "warning";
  case Diagnostic::Severity::Remark:
    return "remark";
  case Diagnostic::Severity::Note:
    return "note";
  }
  return "error";
}

std::string Diagnostic::str() const {
  std::string Result;
  if (!File.empty()) {
    Result += File + ":";
    if (Line)
      Result += std::to_string(Line) + ":" + std::to_string(Column) + ":";
    Result += " ";
  }
  Result += std::string(severityName(Kind)) + ": " + Text;
  if (!Snippet.empty())
    Result += "\n" + Snippet;
  return Result;
}

std::string Failure::str() const {
  std::string Result;
  for (const Diagnostic &D : All)
    Result += (Result.empty() ? "" : "\n") + D.str();
  return Result;
}
