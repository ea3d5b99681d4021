// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/DecodeCases.h"

#include "test/exec/PatternTexts.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::exec;

static ValueList nothing(std::mt19937_64 &, const Sizes &) { return {}; }

static const DecodeCase Cases[] = {
    {"Dense", R"(
attn.pattern @dense keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
})",
     nothing},
    {"Causal", R"(
attn.pattern @causal keep(%b, %h, %q, %k) {
  %past = arith.cmpi sge, %q, %k : index
  attn.keep %past
})",
     nothing},
    {"Window", SlidingWindowText,
     [](std::mt19937_64 &, const Sizes &) { return ValueList{700}; }},
    {"SinkAndWindow", R"(
attn.pattern @a_shape(%sink: index, %window: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %first = arith.cmpi slt, %k, %sink : index
  %either = arith.ori %near, %first : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
})",
     [](std::mt19937_64 &, const Sizes &) { return ValueList{4, 333}; }},
    {"WindowPerHead", WindowPerHeadText,
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{
           Value::randomIntegers(Random, {Of.HeadsQ}, 0, Of.SeqK + 1),
           Value::randomIntegers(Random, {Of.HeadsQ}, 0, 9)};
     }},
    // Several heads keep nothing at all, in every part or in some.
    {"WholeHeads", R"(
attn.pattern @retrieval(%kind: tensor<?xindex>) keep(%b, %h, %q, %k) {
  %c1 = arith.constant 1 : index
  %c2500 = arith.constant 2500 : index
  %t = attn.at %kind[%h] : tensor<?xindex>
  %whole = arith.cmpi eq, %t, %c1 : index
  %late = arith.cmpi sgt, %t, %c1 : index
  %far = arith.cmpi sge, %k, %c2500 : index
  %tail = arith.andi %late, %far : i1
  %kept = arith.ori %whole, %tail : i1
  attn.keep %kept
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomIntegers(Random, {Of.HeadsQ}, 0, 2)};
     }},
    {"ColumnsAndDiagonals", VerticalSlashText,
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{
           Value::randomSets(Random, {Of.Batch, Of.HeadsQ}, Of.SeqK),
           Value::randomSets(Random, {1, Of.HeadsQ}, Of.SeqK)};
     }},
    // The head is not the last index of a set.
    {"BlocksPerHead", R"(
attn.pattern @block_sparse(%rows: !attn.set) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %row = arith.floordivsi %q, %c64 : index
  %column = arith.floordivsi %k, %c64 : index
  %kept = attn.in %column, %rows[%b, %h, %row]
  attn.keep %kept
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomSets(
           Random, {Of.Batch, Of.HeadsQ, (Of.SeqQ + Of.SeqK) / 64 + 1},
           Of.SeqK / 64 + 1)};
     }},
    // Nor of a table, whose elements vary along the keys.
    {"DocumentsPerHead", R"(
attn.pattern @documents(%doc: tensor<?x?xindex>) keep(%b, %h, %q, %k) {
  %i = attn.at %doc[%h, %q] : tensor<?x?xindex>
  %j = attn.at %doc[%h, %k] : tensor<?x?xindex>
  %same = arith.cmpi eq, %i, %j : index
  attn.keep %same
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{
           Value::sorted(Random, {Of.HeadsQ, Of.SeqQ + Of.SeqK + 1}, 3)};
     }},
    {"SlopePerHead", R"(
attn.pattern @alibi(%slope: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %past = arith.cmpi sge, %q, %k : index
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %m = attn.at %slope[%h] : tensor<?xf32>
  %d = arith.subi %q, %k : index
  %i = arith.index_cast %d : index to i64
  %f = arith.sitofp %i : i64 to f32
  %c = arith.mulf %m, %f : f32
  %y = arith.subf %s, %c : f32
  attn.score %y
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomReals(Random, {Of.HeadsQ}, 0.001F, 0.2F)};
     }},
    {"SoftcapOfAppliedPattern", R"(
attn.pattern @softcap(%cap: f32) keep(%b, %h, %q, %k) {
  %kept = attn.apply @odd() at(%b, %h, %q, %k)
  attn.keep %kept
} score(%s, %b, %h, %q, %k) {
  %x = arith.divf %s, %cap : f32
  %t = math.tanh %x : f32
  %y = arith.mulf %t, %cap : f32
  attn.score %y
}
attn.pattern @odd keep(%b, %h, %q, %k) {
  %x = arith.addi %q, %h : index
  %y = arith.addi %x, %k : index
  %kept = attn.in %y, #attn.residue<1, 2>
  attn.keep %kept
})",
     [](std::mt19937_64 &, const Sizes &) { return ValueList{5.0}; }},
    {"Powers", R"(
attn.pattern @powers keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %far = attn.in %d, #attn.pow2
  %near = attn.in %d, #attn.interval<0, 100>
  %kept = arith.ori %far, %near : i1
  attn.keep %kept
})",
     nothing},
    {"Sigmoid", R"(
attn.pattern @sigmoid(%bias: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %past = arith.cmpi sge, %q, %k : index
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %c = attn.at %bias[%h] : tensor<?xf32>
  %y = arith.addf %s, %c : f32
  attn.score %y
} normalize sigmoid)",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomReals(Random, {Of.HeadsQ}, -9, -6)};
     },
     false},
    {"FactorPerHead", R"(
attn.pattern @factor(%gate: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %past = arith.cmpi sge, %q, %k : index
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %c = attn.at %gate[%h] : tensor<?xf32>
  attn.score %s factor %c
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomReals(Random, {Of.HeadsQ}, 0, 1)};
     }},
    // A sink counts once per row, also where no part, or only the last one, has
    // keys.
    {"SinkPerHead", R"(
attn.pattern @sink(%kind: tensor<?xindex>, %sink: tensor<?xf32>)
    keep(%b, %h, %q, %k) {
  %c1 = arith.constant 1 : index
  %c700 = arith.constant 700 : index
  %t = attn.at %kind[%h] : tensor<?xindex>
  %whole = arith.cmpi eq, %t, %c1 : index
  %late = arith.cmpi sgt, %t, %c1 : index
  %far = arith.cmpi sge, %k, %c700 : index
  %tail = arith.andi %late, %far : i1
  %kept = arith.ori %whole, %tail : i1
  attn.keep %kept
} normalize softmax sink(%sink))",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomIntegers(Random, {Of.HeadsQ}, 0, 2),
                        Value::randomReals(Random, {Of.HeadsQ}, -2, 5)};
     }},
    {"PerSequence", R"(
attn.pattern @padded(%length: tensor<?xindex>) keep(%b, %h, %q, %k) {
  %n = attn.at %length[%b] : tensor<?xindex>
  %kept = arith.cmpi slt, %k, %n : index
  attn.keep %kept
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomIntegers(Random, {Of.Batch}, 0, Of.SeqK)};
     }},
};

llvm::ArrayRef<DecodeCase> exec::decodeCases() { return Cases; }

const DecodeCase &exec::decodeCase(llvm::StringRef Name) {
  const auto *Found =
      std::find_if(std::begin(Cases), std::end(Cases),
                   [&](const DecodeCase &Known) { return Name == Known.Name; });
  EXPECT_NE(Found, std::end(Cases)) << Name.str();
  return Found == std::end(Cases) ? Cases[0] : *Found;
}

DecodeCase exec::rotatedCase(int64_t HeadDim) {
  return {"Rotated", R"(
attn.pattern @turned(%cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>)
    keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %near = attn.in %d, #attn.interval<0, 700>
  attn.keep %near
} rotate(%cos, %sin))",
          [HeadDim](std::mt19937_64 &Random, const Sizes &Of) {
            const std::vector<int64_t> Shape = {Of.SeqQ + Of.SeqK, HeadDim / 2};
            return ValueList{Value::randomReals(Random, Shape, -1, 1),
                             Value::randomReals(Random, Shape, -1, 1)};
          }};
}

Sizes exec::decoding(int64_t Queries, int64_t Group, int64_t Keys,
                     int64_t HeadsKv, int64_t Batch) {
  Sizes Of = {Batch, Group * HeadsKv, HeadsKv, Queries, Keys, {}, {}};
  Of.Origin.assign(static_cast<size_t>(Batch),
                   std::max<int64_t>(0, Keys - Queries));
  return Of;
}

KernelSpec exec::shortQueries(int64_t HeadDim, int64_t ValueDim) {
  KernelSpec Spec;
  Spec.HeadDim = HeadDim;
  Spec.ValueDim = ValueDim;
  Spec.ShortQueries = true;
  return Spec;
}
