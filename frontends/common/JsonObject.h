// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_JSONOBJECT_H
#define HEDDLE_FRONTENDS_COMMON_JSONOBJECT_H

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>

namespace heddle::frontend {

/// Writes one JSON object, nested ones included, with stable key order.
class JsonObject {
public:
  explicit JsonObject(int Depth = 1) : Depth(Depth) {}

  void raw(const std::string &Key, const std::string &Value) {
    Body += fmt::format("{}\n{:{}}\"{}\": {}", Body.empty() ? "" : ",", "",
                        2 * Depth, escape(Key), Value);
  }
  void text(const std::string &Key, const std::string &Value) {
    raw(Key, fmt::format("\"{}\"", escape(Value)));
  }
  void integer(const std::string &Key, int64_t Value) {
    raw(Key, std::to_string(Value));
  }
  void number(const std::string &Key, double Value) {
    if (std::isfinite(Value))
      raw(Key, fmt::format("{:.9g}", Value));
    else
      text(Key, std::isnan(Value) ? "nan" : Value > 0 ? "inf" : "-inf");
  }
  /// A count that may exceed 64 bits, exact to 53.
  void count(const std::string &Key, double Value) {
    raw(Key, fmt::format("{:.0f}", Value));
  }
  void boolean(const std::string &Key, bool Value) {
    raw(Key, Value ? "true" : "false");
  }
  std::string str() const {
    if (Body.empty())
      return "{}";
    return fmt::format("{{{}\n{:{}}}}", Body, "", 2 * (Depth - 1));
  }

private:
  static std::string escape(const std::string &Text) {
    std::string Out;
    for (char C : Text) {
      if (C == '"' || C == '\\')
        Out += '\\';
      if (static_cast<unsigned char>(C) < 0x20)
        Out += fmt::format("\\u{:04x}", static_cast<int>(C));
      else
        Out += C;
    }
    return Out;
  }

  int Depth;
  std::string Body;
};

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_JSONOBJECT_H
