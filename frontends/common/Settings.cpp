// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Settings.h"

#include "frontends/common/Numbers.h"

#include <fmt/format.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::frontend;

static constexpr int64_t Limit = int64_t(1) << 31;

static std::string listNames(const std::vector<Parameter> &Parameters) {
  std::string Names;
  for (const Parameter &P : Parameters)
    Names += fmt::format("{}'{}'", Names.empty() ? "" : ", ", P.Name);
  return Names.empty() ? "none" : Names;
}

ErrorText frontend::bindParameters(const std::string &Pattern,
                                   const std::vector<Parameter> &Parameters,
                                   const std::vector<std::string> &Settings,
                                   std::vector<int64_t> &Values) {
  std::vector<std::optional<int64_t>> Given(Parameters.size());
  for (const std::string &Setting : Settings) {
    size_t Equals = Setting.find('=');
    if (Equals == Setting.npos)
      return fmt::format("--set has '{}', expected name=value", Setting);
    std::string Name = Setting.substr(0, Equals);
    auto It = std::find_if(Parameters.begin(), Parameters.end(),
                           [&](const Parameter &P) { return P.Name == Name; });
    if (It == Parameters.end())
      return fmt::format("pattern '{}' has no parameter '{}'; it has {}",
                         Pattern, Name, listNames(Parameters));
    std::optional<int64_t> &Slot = Given[It - Parameters.begin()];
    if (Slot)
      return fmt::format("--set gives '{}' twice", Name);
    int64_t Value = 0;
    if (ErrorText Bad = parseInteger(
            std::string_view(Setting).substr(Equals + 1),
            fmt::format("'{}' in --set", Name), -Limit, Limit, Value))
      return Bad;
    Slot = Value;
  }
  Values.clear();
  for (size_t I = 0; I < Parameters.size(); ++I) {
    if (!Given[I])
      Given[I] = Parameters[I].Default;
    if (!Given[I])
      return fmt::format("parameter '{}' of pattern '{}' has no default; give "
                         "it as --set {}=value",
                         Parameters[I].Name, Pattern, Parameters[I].Name);
    Values.push_back(*Given[I]);
  }
  return std::nullopt;
}
