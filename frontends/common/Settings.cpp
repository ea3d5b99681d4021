// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Settings.h"

#include "frontends/common/Numbers.h"

#include <fmt/format.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::frontend;

std::vector<Parameter> frontend::parametersOf(const heddle_entry &Entry) {
  std::vector<Parameter> Result;
  for (int64_t I = 0; I < Entry.num_params; ++I) {
    const heddle_param &P = Entry.params[I];
    Result.push_back({P.name, static_cast<heddle_param_kind>(P.kind), P.rank});
    if (P.has_default && P.kind == HEDDLE_INTEGER)
      Result.back().Default = P.default_value.integer;
    if (P.has_default && P.kind == HEDDLE_REAL)
      Result.back().RealDefault = P.default_value.real;
  }
  return Result;
}

static std::string listNames(const std::vector<Parameter> &Parameters) {
  std::string Names;
  for (const Parameter &P : Parameters)
    Names += fmt::format("{}'{}'", Names.empty() ? "" : ", ", P.Name);
  return Names.empty() ? "none" : Names;
}

/// A value of the kind and rank of a parameter.
static std::string exampleOf(const Parameter &P) {
  if (!P.Example.empty())
    return P.Example;
  const auto Rank = static_cast<size_t>(P.Rank);
  switch (P.Kind) {
  case HEDDLE_INTEGER:
    return "64";
  case HEDDLE_REAL:
    return "0.5";
  case HEDDLE_INTEGER_TABLE: {
    constexpr const char *Shapes[] = {"k", "k", "bxk", "bxhxk", "bxhxqxk"};
    return fmt::format("iota@{}", Shapes[std::min<size_t>(Rank, 4)]);
  }
  case HEDDLE_REAL_TABLE: {
    constexpr const char *Shapes[] = {"h", "h", "hxq", "bxhxq", "bxhxqxk"};
    return fmt::format("random:0..1@{}", Shapes[std::min<size_t>(Rank, 4)]);
  }
  case HEDDLE_SET:
    break;
  }
  constexpr const char *Shapes[] = {"", "@b", "@bxh", "@bxhxq"};
  return fmt::format("random:10{}", Shapes[std::min<size_t>(Rank, 3)]);
}

namespace {

/// Reads one value.
class ValueParser {
public:
  ValueParser(const Parameter &Of, const std::string &Text, Setting &Out)
      : Of(Of), Text(Text), Rest(Text), Out(Out),
        Name(fmt::format("'{}' in --set", Of.Name)) {}

  ErrorText parse() {
    if (Of.Kind == HEDDLE_INTEGER)
      return parseInteger(Text, Name, -IntegerLimit, IntegerLimit - 1,
                          Out.Integer);
    if (Of.Kind == HEDDLE_REAL)
      return parseNumber(Text, Name, Out.Real);
    if (!Rest.empty() && Rest.front() == '[')
      return written();
    return Of.Kind == HEDDLE_SET ? sets() : table();
  }

private:
  std::string where() const { return fmt::format("{} is '{}'", Name, Text); }

  ErrorText unknown() const {
    if (Of.Kind == HEDDLE_SET)
      return fmt::format(
          "{}, expected sets: lists:INDICES.npy[,LENGTHS.npy], "
          "csr:INDPTR.npy,INDICES.npy, map:MAP.npy, a list as in [1,5,9], "
          "random:COUNT or random:PERCENT%",
          where());
    const bool IsReal = Of.Kind == HEDDLE_REAL_TABLE;
    return fmt::format(
        "{}, expected a table: a file that ends in .npy, a list as in "
        "[1,5,9], or one of {} and a shape, as in iota@k",
        where(),
        IsReal ? "fill:X, iota, random:LO..HI, normal, cos:BASE, sin:BASE"
               : "fill:X, iota, random:LO..HI, sorted:GROUPS");
  }

  static bool take(std::string_view &From, std::string_view Prefix) {
    if (From.substr(0, Prefix.size()) != Prefix)
      return false;
    From.remove_prefix(Prefix.size());
    return true;
  }

  /// "size=4096" or "seed=3".
  ErrorText option(std::string_view Item) {
    if (Of.Kind == HEDDLE_SET && take(Item, "size=")) {
      if (Out.Size)
        return fmt::format("{}, which gives 'size' twice", where());
      Out.Size = std::string(Item);
      return std::nullopt;
    }
    if (Out.Is == Setting::Form::Generated && take(Item, "seed=")) {
      if (Out.Seed)
        return fmt::format("{}, which gives 'seed' twice", where());
      int64_t Seed = 0;
      if (ErrorText Bad =
              parseInteger(Item, "the seed of " + Name, 0, INT64_MAX, Seed))
        return Bad;
      Out.Seed = static_cast<uint64_t>(Seed);
      return std::nullopt;
    }
    return fmt::format("{}, where '{}' is none of {}", where(), Item,
                       Of.Kind != HEDDLE_SET ? "seed=NUMBER"
                       : Out.Is == Setting::Form::Generated
                           ? "size=NUMBER, seed=NUMBER"
                           : "size=NUMBER");
  }

  ErrorText options(std::string_view Items) {
    for (std::string_view Item : split(Items, ','))
      if (ErrorText Bad = option(Item))
        return Bad;
    return std::nullopt;
  }

  ErrorText list(WrittenList &Into, int32_t Depth) {
    if (Depth == 0)
      return fmt::format("{}, which has lists within lists deeper than the {} "
                         "that it can have",
                         where(), mostDepth());
    Rest.remove_prefix(1);
    if (take(Rest, "]"))
      return std::nullopt;
    while (true) {
      const bool IsList = !Rest.empty() && Rest.front() == '[';
      if (IsList ? !Into.Numbers.empty() : !Into.Lists.empty())
        return fmt::format("{}, which mixes numbers and lists", where());
      if (IsList) {
        Into.Lists.emplace_back();
        if (ErrorText Bad = list(Into.Lists.back(), Depth - 1))
          return Bad;
      } else {
        size_t End = std::min(Rest.find_first_of(",]"), Rest.size());
        Into.Numbers.emplace_back(Rest.substr(0, End));
        Rest.remove_prefix(End);
      }
      if (take(Rest, "]"))
        return std::nullopt;
      if (!take(Rest, ","))
        return fmt::format("{}, which lacks a ']'", where());
    }
  }

  int32_t mostDepth() const {
    return Of.Kind == HEDDLE_SET ? Of.Rank + 1 : Of.Rank;
  }

  ErrorText written() {
    Out.Is = Setting::Form::Written;
    if (ErrorText Bad = list(Out.List, mostDepth()))
      return Bad;
    if (Rest.empty())
      return std::nullopt;
    if (!take(Rest, ","))
      return fmt::format("{}, which has '{}' after its list", where(), Rest);
    return options(Rest);
  }

  ErrorText sets() {
    struct {
      const char *Prefix;
      Setting::Form Is;
      size_t Fewest, Most;
    } const Formats[] = {{"lists:", Setting::Form::Lists, 1, 2},
                         {"csr:", Setting::Form::Csr, 2, 2},
                         {"map:", Setting::Form::Map, 1, 1}};
    for (const auto &Format : Formats) {
      if (!take(Rest, Format.Prefix))
        continue;
      Out.Is = Format.Is;
      for (std::string_view Item : split(Rest, ','))
        if (Item.size() > 4 && Item.substr(Item.size() - 4) == ".npy")
          Out.Paths.emplace_back(Item);
        else if (Item.find('=') == Item.npos)
          return fmt::format("{}, where '{}' does not end in .npy", where(),
                             Item);
        else if (ErrorText Bad = option(Item))
          return Bad;
      if (Out.Paths.size() < Format.Fewest || Out.Paths.size() > Format.Most)
        return fmt::format("{}, expected {}{} .npy file{}, found {}", where(),
                           Format.Fewest,
                           Format.Most > Format.Fewest ? " or 2" : "",
                           Format.Most > 1 ? "s" : "", Out.Paths.size());
      if (Out.Is == Setting::Form::Map && Out.Size)
        return fmt::format("{}, but the size of a map is that of its last axis",
                           where());
      return std::nullopt;
    }
    return generated({"random"});
  }

  ErrorText table() {
    if (Text.size() > 4 && Text.compare(Text.size() - 4, 4, ".npy") == 0) {
      Out.Is = Setting::Form::File;
      Out.Paths = {Text};
      return std::nullopt;
    }
    if (Of.Kind == HEDDLE_REAL_TABLE)
      return generated({"fill", "iota", "random", "normal", "cos", "sin"});
    return generated({"fill", "iota", "random", "sorted"});
  }

  /// "random:0..9@1xq,seed=3"
  ErrorText generated(std::initializer_list<std::string_view> Known) {
    Out.Is = Setting::Form::Generated;
    size_t End = std::min(Rest.find_first_of(":@,"), Rest.size());
    Out.Generator = std::string(Rest.substr(0, End));
    Rest.remove_prefix(End);
    if (std::find(Known.begin(), Known.end(), Out.Generator) == Known.end())
      return unknown();
    auto TakeUpTo = [&](const char *Ends) {
      size_t At = std::min(Rest.find_first_of(Ends), Rest.size());
      std::string Part(Rest.substr(0, At));
      Rest.remove_prefix(At);
      return Part;
    };
    if (take(Rest, ":"))
      Out.Argument = TakeUpTo("@,");
    if (take(Rest, "@"))
      Out.Shape = TakeUpTo(",");
    else if (Of.Kind != HEDDLE_SET)
      return fmt::format("{}, expected a shape, as in '{}@k'", where(), Text);
    return take(Rest, ",") ? options(Rest) : std::nullopt;
  }

  const Parameter &Of;
  const std::string &Text;
  std::string_view Rest;
  Setting &Out;
  std::string Name;
};

} // namespace

ErrorText frontend::parseSettings(const std::string &Owner,
                                  const std::vector<Parameter> &Parameters,
                                  const std::vector<std::string> &Items,
                                  std::vector<Setting> &Out) {
  std::vector<bool> Given(Parameters.size());
  Out.assign(Parameters.size(), {});
  for (const std::string &Item : Items) {
    size_t Equals = Item.find('=');
    if (Equals == Item.npos)
      return fmt::format("--set has '{}', expected name=value", Item);
    std::string Name = Item.substr(0, Equals);
    auto It = std::find_if(Parameters.begin(), Parameters.end(),
                           [&](const Parameter &P) { return P.Name == Name; });
    if (It == Parameters.end())
      return fmt::format("{} has no parameter '{}'; it has {}", Owner, Name,
                         listNames(Parameters));
    const auto Index = static_cast<size_t>(It - Parameters.begin());
    if (Given[Index])
      return fmt::format("--set gives '{}' twice", Name);
    Given[Index] = true;
    const std::string Value = Item.substr(Equals + 1);
    if (ErrorText Bad = ValueParser(*It, Value, Out[Index]).parse())
      return Bad;
  }
  for (size_t I = 0; I < Parameters.size(); ++I) {
    const Parameter &P = Parameters[I];
    if (Given[I])
      continue;
    if (!P.Default && !P.RealDefault)
      return fmt::format(
          "parameter '{}' of {} has no default; give a value, as "
          "in --set {}={}",
          P.Name, Owner, P.Name, exampleOf(P));
    Out[I].Integer = P.Default.value_or(0);
    Out[I].Real = P.RealDefault.value_or(0);
  }
  return std::nullopt;
}
