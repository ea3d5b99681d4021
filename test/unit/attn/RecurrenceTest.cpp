// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Attn.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace heddle::attn;

namespace {

class RecurrenceTest : public testing::Test {
protected:
  RecurrenceTest() {
    Context.loadDialect<AttnDialect, mlir::arith::ArithDialect,
                        mlir::math::MathDialect>();
  }

  /// The symbol that the text defines.
  template <typename Op = RecurrenceOp> Op parse(llvm::StringRef Text) {
    Module = mlir::parseSourceString<mlir::ModuleOp>(Text, &Context);
    return Module ? *Module->getOps<Op>().begin() : Op();
  }

  mlir::MLIRContext Context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> Module;
};

/// The ways to choose `Degree` features of `From` … `Mapped` - 1 in ascending
/// order, one by one.
int64_t countMonomials(int64_t Mapped, int64_t Degree, int64_t From = 0) {
  if (Degree == 0)
    return 1;
  int64_t Count = 0;
  for (int64_t C = From; C < Mapped; ++C)
    Count += countMonomials(Mapped, Degree - 1, C);
  return Count;
}

TEST_F(RecurrenceTest, PowersHaveAFeaturePerMonomial) {
  for (int64_t Power = 2; Power <= 8; ++Power) {
    auto Expand = ExpandAttr::get(&Context, ExpandKind::Power, Power);
    for (int64_t Mapped = 1; Mapped <= 7; ++Mapped)
      EXPECT_EQ(Expand.numFeatures(Mapped), countMonomials(Mapped, Power))
          << Mapped << "^" << Power;
  }
}

TEST_F(RecurrenceTest, TaylorHasAConstantTheRowAndItsSquares) {
  auto Expand = ExpandAttr::get(&Context, ExpandKind::Taylor, 0);
  for (int64_t Mapped = 1; Mapped <= 16; ++Mapped)
    EXPECT_EQ(Expand.numFeatures(Mapped),
              1 + Mapped + countMonomials(Mapped, 2));
}

TEST_F(RecurrenceTest, TooManyFeaturesCountAsOneTooMany) {
  auto Square = ExpandAttr::get(&Context, ExpandKind::Power, 2);
  EXPECT_EQ(Square.numFeatures(361), 361 * 362 / 2);
  EXPECT_EQ(Square.numFeatures(362), kMaxFeatures + 1);
  auto High = ExpandAttr::get(&Context, ExpandKind::Power, 8);
  EXPECT_EQ(High.numFeatures(512), kMaxFeatures + 1);
  auto None = ExpandAttr::get(&Context, ExpandKind::None, 0);
  EXPECT_EQ(None.numFeatures(kMaxFeatures), kMaxFeatures);
  EXPECT_EQ(None.numFeatures(int64_t(1) << 62), kMaxFeatures + 1);
}

TEST_F(RecurrenceTest, NothingWrittenIsTheIdentity) {
  RecurrenceOp Op = parse("attn.recurrence @plain");
  ASSERT_TRUE(Op);
  EXPECT_TRUE(Op.getExpand().isNone());
  EXPECT_EQ(Op.getNormalize(), LinearNormalizer::None);
  EXPECT_FALSE(Op.isBidirectional() || Op.hasDelta() || Op.hasSums());
  EXPECT_EQ(Op.decayKind(), DecayKind::None);
  EXPECT_FALSE(Op.getWindowParam());
  EXPECT_TRUE(Op.canScan());
  EXPECT_EQ(Op.numMappedFeatures(64), 64);
  EXPECT_EQ(Op.numStateRows(64), 64);
}

TEST_F(RecurrenceTest, TheOrderMattersWhereFeaturesFadeByThemselves) {
  constexpr llvm::StringLiteral Delta = " delta(%b, %h, %i) {\n"
                                        "  attn.delta %t\n"
                                        "} erase before decay";
  for (auto [Decay, Matters] :
       {std::pair<llvm::StringRef, bool>("", false),
        {" decay(%b, %h, %i) {\n  attn.decay %t\n}", false},
        {" decay(%b, %h, %i, %c) {\n  attn.decay %t\n}", true}}) {
    RecurrenceOp Op =
        parse(("attn.recurrence @r(%t: f32)" + Decay + Delta).str());
    ASSERT_TRUE(Op);
    EXPECT_TRUE(Op.getEraseBeforeDecay());
    EXPECT_EQ(Op.erasesFirst(), Matters);
    EXPECT_FALSE(Op.canScan());
  }
}

TEST_F(RecurrenceTest, StateRowsFollowTheClauses) {
  constexpr llvm::StringLiteral Two = "(%x, %b, %h, %i, %c) {\n"
                                      "  %n = arith.negf %x : f32\n"
                                      "  attn.features %x, %n\n}";
  RecurrenceOp Op = parse(("attn.recurrence @p query" + Two + " key" + Two +
                           " expand power 2 normalize magnitude")
                              .str());
  ASSERT_TRUE(Op);
  EXPECT_EQ(Op.getNumMaps(), 2U);
  EXPECT_EQ(Op.numMappedFeatures(8), 16);
  EXPECT_EQ(Op.numFeatures(8), 16 * 17 / 2);
  EXPECT_EQ(Op.numStateRows(8), 16 * 17 / 2 + 1);
  EXPECT_TRUE(Op.hasSums() && Op.hasMagnitude());
}

TEST_F(RecurrenceTest, DecayIsToldByWhatItUses) {
  auto Kind = [&](const std::string &Coordinates, const std::string &Indices) {
    RecurrenceOp Op =
        parse("attn.recurrence @p(%t: tensor<?x?x?x?xf32>, %n: index) decay(" +
              Coordinates + ") {\n  %g = attn.at %t[" + Indices +
              "] : tensor<?x?x?x?xf32>\n  attn.decay %g\n}");
    EXPECT_TRUE(Op);
    return Op.decayKind();
  };
  EXPECT_EQ(Kind("%b, %h, %i", "%b, %h, %n, %n"), DecayKind::Constant);
  EXPECT_EQ(Kind("%b, %h, %i", "%b, %h, %i, %n"), DecayKind::PerToken);
  EXPECT_EQ(Kind("%b, %h, %i, %c", "%b, %h, %i, %c"), DecayKind::PerChannel);
  EXPECT_EQ(Kind("%b, %h, %i, %c", "%b, %h, %n, %c"), DecayKind::PerChannel);
}

TEST_F(RecurrenceTest, WhatCannotBeScanned) {
  RecurrenceOp Window =
      parse("attn.recurrence @p(%a: f32, %w: index) window(%w)");
  ASSERT_TRUE(Window);
  EXPECT_EQ(Window.getWindowParam(), 1U);
  EXPECT_FALSE(Window.canScan());
  RecurrenceOp Delta = parse("attn.recurrence @p(%t: f32) delta(%b, %h, %i) {\n"
                             "  attn.delta %t\n}");
  ASSERT_TRUE(Delta);
  EXPECT_FALSE(Delta.canScan());
}

TEST_F(RecurrenceTest, ParametersAreThoseOfPatterns) {
  constexpr llvm::StringLiteral Params =
      "(%w: index = 7, %f: f32 = 0.5, %t: tensor<?x?xf32>, %n: index)";
  auto Check = [](ParamsOpInterface Op) {
    ASSERT_EQ(Op.getNumParams(), 4U);
    EXPECT_EQ(Op.getParamName(0), "w");
    EXPECT_EQ(Op.getParamName(2), "t");
    EXPECT_TRUE(Op.getParamType(0).isIndex());
    EXPECT_TRUE(Op.getParamTypes()[1].isF32());
    EXPECT_EQ(Op.getParamDefault(0), 7);
    EXPECT_EQ(Op.getParamDefault(1), std::nullopt);
    EXPECT_EQ(llvm::cast<mlir::FloatAttr>(Op.getDefault(1)).getValueAsDouble(),
              0.5);
    EXPECT_FALSE(Op.getDefault(3));
    EXPECT_EQ(Op.getParamRank(2), 2U);
    EXPECT_EQ(Op.getParamRank(3), 0U);
  };
  auto Recurrence = parse(("attn.recurrence @p" + Params).str());
  ASSERT_TRUE(Recurrence);
  Check(Recurrence);
  auto Pattern = parse<PatternOp>(
      ("attn.pattern @p" + Params +
       " keep(%b, %h, %q, %k) {\n  %y = attn.in %q, #attn.pow2\n"
       "  attn.keep %y\n}")
          .str());
  ASSERT_TRUE(Pattern);
  Check(Pattern);
}

} // namespace
