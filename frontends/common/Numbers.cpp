// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Numbers.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

using namespace heddle;

ErrorText frontend::parseInteger(std::string_view Text, const std::string &What,
                                 int64_t Min, int64_t Max, int64_t &Out) {
  const char *End = Text.data() + Text.size();
  auto [Last, Code] = std::from_chars(Text.data(), End, Out);
  if (Code == std::errc::result_out_of_range ||
      (Code == std::errc() && Last == End && (Out < Min || Out > Max)))
    return fmt::format("{} is {}, expected {} to {}", What, Text, Min, Max);
  if (Code != std::errc() || Last != End)
    return fmt::format("{} is '{}', expected an integer", What, Text);
  return std::nullopt;
}

ErrorText frontend::parseNumber(const std::string &Text,
                                const std::string &What, double &Out) {
  char *End = nullptr;
  Out = std::strtod(Text.c_str(), &End);
  if (Text.empty() || *End || !std::isfinite(Out))
    return fmt::format("{} is '{}', expected a finite number", What, Text);
  return std::nullopt;
}

ErrorText frontend::parseElement(const std::string &Text,
                                 const std::string &What, double &Out) {
  if (Text != "inf" && Text != "-inf")
    return parseNumber(Text, What, Out);
  Out = Text.front() == '-' ? -INFINITY : INFINITY;
  return std::nullopt;
}

std::vector<std::string_view> frontend::split(std::string_view Text,
                                              char Separator) {
  std::vector<std::string_view> Parts;
  size_t Begin = 0;
  for (size_t End = 0; (End = Text.find(Separator, Begin)) != Text.npos;
       Begin = End + 1)
    Parts.push_back(Text.substr(Begin, End - Begin));
  Parts.push_back(Text.substr(Begin));
  return Parts;
}

std::string frontend::grouped(int64_t Value) {
  std::string Digits = std::to_string(Value);
  size_t First = Value < 0 ? 1 : 0;
  for (size_t At = Digits.size(); At > First + 3;) {
    At -= 3;
    Digits.insert(At, ",");
  }
  return Digits;
}

std::string frontend::duration(double Seconds) {
  if (Seconds >= 1)
    return fmt::format("{:.3f} s", Seconds);
  if (Seconds >= 1e-3)
    return fmt::format("{:.3f} ms", Seconds * 1e3);
  return fmt::format("{:.1f} us", Seconds * 1e6);
}
