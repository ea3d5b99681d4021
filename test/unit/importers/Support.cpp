// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/unit/importers/Support.h"

#include "dialect/attn/reference/Predicate.h"
#include "frontends/common/Values.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace heddle;
using namespace heddle::importers;
using namespace heddle::importers::test;

ImportTest::ImportTest() {
  std::string Name = testing::TempDir() + "importXXXXXX";
  if (!::mkdtemp(Name.data()))
    std::abort();
  Folder = Name;
}

ImportTest::~ImportTest() {
  std::error_code Ignored;
  std::filesystem::remove_all(Folder, Ignored);
}

std::string ImportTest::writeText(const std::string &Name,
                                  const std::string &Text) {
  std::ofstream(path(Name)) << Text;
  return path(Name);
}

template <typename T>
static std::string
writeArray(const std::string &Path, const std::vector<int64_t> &Shape,
           const std::vector<T> &Values, heddle_dtype Dtype) {
  EXPECT_EQ(npy::write(Path, Shape, Values.data(), Dtype), std::nullopt);
  return Path;
}

std::string ImportTest::writeI32(const std::string &Name,
                                 std::vector<int64_t> Shape,
                                 const std::vector<int32_t> &Values) {
  return writeArray(path(Name), Shape, Values, HEDDLE_I32);
}
std::string ImportTest::writeI64(const std::string &Name,
                                 std::vector<int64_t> Shape,
                                 const std::vector<int64_t> &Values) {
  return writeArray(path(Name), Shape, Values, HEDDLE_I64);
}
std::string ImportTest::writeBool(const std::string &Name,
                                  std::vector<int64_t> Shape,
                                  const std::vector<uint8_t> &Values) {
  return writeArray(path(Name), Shape, Values, HEDDLE_BOOL);
}

std::vector<std::string> ImportTest::filesIn(const std::string &Folder) {
  std::vector<std::string> Names;
  for (const auto &Entry : std::filesystem::directory_iterator(Folder))
    Names.push_back(Entry.path().filename().string());
  std::sort(Names.begin(), Names.end());
  return Names;
}

namespace {

/// A pattern with its operands, read from files.
class Imported {
public:
  Imported() {
    Context.loadDialect<attn::AttnDialect, mlir::arith::ArithDialect,
                        mlir::math::MathDialect>();
  }

  /// The words of --set as the command line that was reported has them.
  void read(const std::string &PatternPath, const std::string &Name,
            const std::string &RunLine, const frontend::Extents &Sizes) {
    Module = mlir::parseSourceFile<mlir::ModuleOp>(PatternPath, &Context);
    ASSERT_TRUE(Module) << PatternPath << " cannot be parsed";
    auto Pattern = Module->lookupSymbol<attn::PatternOp>(Name);
    ASSERT_TRUE(Pattern) << "no pattern " << Name;
    mlir::FailureOr<attn::Predicate> Compiled =
        attn::Predicate::compile(Pattern);
    ASSERT_TRUE(mlir::succeeded(Compiled));
    Keep.emplace(std::move(*Compiled));
    std::vector<frontend::Parameter> Parameters;
    for (const attn::ParamInfo &Info : Keep->params())
      Parameters.push_back(
          {Info.Name, Info.Kind, static_cast<int32_t>(Info.Rank)});
    for (unsigned I = 0; I < Pattern.getNumParams(); ++I)
      Parameters[I].Default = Pattern.getParamDefault(I);
    std::vector<frontend::Setting> Settings;
    ASSERT_EQ(frontend::parseSettings(Name, Parameters, wordsOfSet(RunLine),
                                      Settings),
              std::nullopt);
    ASSERT_EQ(Values.make(Parameters, Settings, Sizes), std::nullopt);
    llvm::Expected<attn::OperandList> List =
        attn::OperandList::read(Values.data(), Keep->params());
    if (!List)
      FAIL() << llvm::toString(List.takeError());
    Operands = *List;
  }

  void pairs(Dense &Out) {
    attn::Predicate::Scratch Registers;
    attn::PredicatePoint At;
    At.Params = Operands;
    At.NumKeys = Out.Keys;
    for (At.B = 0; At.B < Out.Batch; ++At.B)
      for (At.H = 0; At.H < Out.Heads; ++At.H)
        for (At.Q = 0; At.Q < Out.Queries; ++At.Q) {
          std::vector<attn::KeyRun> Runs;
          if (llvm::Error Bad = Keep->keptRuns(At, Registers, Runs))
            FAIL() << llvm::toString(std::move(Bad));
          for (const attn::KeyRun &Run : Runs)
            for (int64_t K = Run.Begin; K < Run.End; ++K)
              Out.at(At.B, At.H, At.Q, K) = 1;
        }
  }

private:
  static std::vector<std::string> wordsOfSet(const std::string &RunLine) {
    std::vector<std::string> Words;
    size_t Begin = RunLine.find(" --set ");
    if (Begin == RunLine.npos)
      return Words;
    std::istringstream Rest(RunLine.substr(Begin + 7));
    for (std::string Word; Rest >> Word;)
      Words.push_back(Word);
    return Words;
  }

  mlir::MLIRContext Context;
  mlir::OwningOpRef<mlir::ModuleOp> Module;
  std::optional<attn::Predicate> Keep;
  frontend::PatternValues Values;
  attn::OperandList Operands;
};

} // namespace

Dense ImportTest::keptPairs(const Import &From, const Dense &Shape) {
  Dense Result(Shape.Batch, Shape.Heads, Shape.Queries, Shape.Keys);
  importers::Written Files;
  ErrorText Bad =
      importers::write(From, path("out" + std::to_string(Written++)), Files);
  EXPECT_EQ(Bad, std::nullopt);
  if (Bad)
    return Result;
  frontend::Extents Sizes;
  Sizes.Batch = From.Shape.Batch;
  Sizes.Heads = From.Shape.Heads;
  Sizes.SeqQ = From.Shape.Queries;
  Sizes.SeqK = From.Shape.Keys;
  Imported Pattern;
  Pattern.read(Files.PatternPath, From.Pattern, Files.RunLine, Sizes);
  if (!testing::Test::HasFatalFailure())
    Pattern.pairs(Result);
  return Result;
}

std::string test::difference(Dense &Found, Dense &Expected) {
  std::ostringstream Text;
  for (int64_t B = 0; B < Expected.Batch; ++B)
    for (int64_t H = 0; H < Expected.Heads; ++H)
      for (int64_t Q = 0; Q < Expected.Queries; ++Q)
        for (int64_t K = 0; K < Expected.Keys; ++K)
          if (Found.at(B, H, Q, K) != Expected.at(B, H, Q, K)) {
            Text << "sequence " << B << ", head " << H << ", query " << Q
                 << ", key " << K << ": expected "
                 << int(Expected.at(B, H, Q, K));
            return Text.str();
          }
  return "";
}
