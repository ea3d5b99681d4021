// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/npy/Header.h"

#include <fmt/format.h>

using namespace heddle;
using namespace heddle::npy;

namespace {

/// Recursive descent over the few literals that occur.
class Parser {
public:
  explicit Parser(std::string_view Text) : Rest(Text) {}

  ErrorText parse(Header &Out) {
    if (!take('{'))
      return expected("'{'");
    bool HasDescr = false, HasOrder = false, HasShape = false;
    while (!take('}')) {
      std::string Key;
      if (!string(Key) || !take(':'))
        return expected("a key and ':'");
      bool *Seen = Key == "descr"           ? &HasDescr
                   : Key == "fortran_order" ? &HasOrder
                   : Key == "shape"         ? &HasShape
                                            : nullptr;
      if (!Seen || *Seen)
        return fmt::format("has the key '{}' {}", Key,
                           Seen ? "twice" : "that the format does not know");
      *Seen = true;
      if (Seen == &HasDescr && !descr(Out.Descr))
        return expected("a type");
      if (Seen == &HasOrder && !boolean(Out.FortranOrder))
        return expected("True or False");
      if (Seen == &HasShape)
        if (ErrorText Bad = shape(Out.Shape))
          return Bad;
      if (!take(',') && !peek('}'))
        return expected("',' or '}'");
    }
    skipSpace();
    if (!Rest.empty())
      return expected("its end");
    if (!HasDescr || !HasOrder || !HasShape)
      return fmt::format("lacks the key '{}'", !HasDescr   ? "descr"
                                               : !HasOrder ? "fortran_order"
                                                           : "shape");
    return std::nullopt;
  }

private:
  std::string_view Rest;

  void skipSpace() {
    while (!Rest.empty() && (Rest.front() == ' ' || Rest.front() == '\t' ||
                             Rest.front() == '\n' || Rest.front() == '\r'))
      Rest.remove_prefix(1);
  }
  bool peek(char C) {
    skipSpace();
    return !Rest.empty() && Rest.front() == C;
  }
  bool take(char C) {
    if (!peek(C))
      return false;
    Rest.remove_prefix(1);
    return true;
  }
  bool word(std::string_view W) {
    skipSpace();
    if (Rest.substr(0, W.size()) != W)
      return false;
    Rest.remove_prefix(W.size());
    return true;
  }
  ErrorText expected(std::string_view What) {
    skipSpace();
    // Bytes of a damaged file go into the message, printable ones only.
    std::string Found;
    for (char C : Rest.substr(0, 12))
      Found += C >= ' ' && C <= '~' ? C : '?';
    return fmt::format("has '{}' where {} was expected", Found, What);
  }
  bool string(std::string &Out) {
    skipSpace();
    if (Rest.empty() || (Rest.front() != '\'' && Rest.front() != '"'))
      return false;
    size_t End = Rest.find(Rest.front(), 1);
    if (End == std::string_view::npos)
      return false;
    Out = Rest.substr(1, End - 1);
    Rest.remove_prefix(End + 1);
    return true;
  }
  bool descr(std::string &Out) {
    if (!peek('['))
      return string(Out);
    // A list of fields; only its end matters, since it is refused.
    Out = "a structured type";
    int Depth = 0;
    while (!Rest.empty()) {
      char C = Rest.front();
      Rest.remove_prefix(1);
      Depth += C == '[' ? 1 : C == ']' ? -1 : 0;
      if (Depth == 0)
        return true;
    }
    return false;
  }
  bool boolean(bool &Out) {
    Out = word("True");
    return Out || word("False");
  }
  ErrorText shape(std::vector<int64_t> &Out) {
    if (!take('('))
      return expected("'('");
    while (!take(')')) {
      skipSpace();
      if (Rest.empty() || Rest.front() < '0' || Rest.front() > '9')
        return expected("a size");
      int64_t Size = 0;
      while (!Rest.empty() && Rest.front() >= '0' && Rest.front() <= '9') {
        if (__builtin_mul_overflow(Size, int64_t(10), &Size) ||
            __builtin_add_overflow(Size, int64_t(Rest.front() - '0'), &Size))
          return std::string("has a size beyond 2^63 - 1");
        Rest.remove_prefix(1);
      }
      // Python 2 wrote long integers so.
      take('L');
      Out.push_back(Size);
      if (!take(',') && !peek(')'))
        return expected("',' or ')'");
    }
    return std::nullopt;
  }
};

} // namespace

ErrorText npy::parseHeader(std::string_view Text, Header &Out) {
  Out = {};
  return Parser(Text).parse(Out);
}

std::string npy::shapeText(const std::vector<int64_t> &Shape) {
  return fmt::format("({}{})", fmt::join(Shape, ", "),
                     Shape.size() == 1 ? "," : "");
}

const char *npy::descrOf(heddle_dtype Dtype) {
  switch (Dtype) {
  case HEDDLE_F32:
    return "<f4";
  case HEDDLE_F16:
    return "<f2";
  case HEDDLE_BF16:
    return "<V2";
  case HEDDLE_I32:
    return "<i4";
  case HEDDLE_I64:
    return "<i8";
  case HEDDLE_BOOL:
    return "|b1";
  }
  return "";
}

bool npy::describes(const std::string &Descr, heddle_dtype Dtype) {
  return Descr == descrOf(Dtype) || (Dtype == HEDDLE_BF16 && Descr == "|V2");
}

std::string npy::headerText(const std::vector<int64_t> &Shape,
                            heddle_dtype Dtype) {
  return fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                     descrOf(Dtype), shapeText(Shape));
}
