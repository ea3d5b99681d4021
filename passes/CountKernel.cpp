// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/TileKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/KeyLoop.h"

using namespace heddle;
using namespace mlir;

/// The kept pairs of a tile that belong to queries that exist.
static Value countPairs(KernelFrame &frame, unsigned source,
                        const QueryTile &queries, KeyTile keys) {
  if (frame.spec.hasGrid()) {
    keys.formula = frame.ofExistingQueries(source, keys.formula);
    // Full for all queries of the box is not full for those that exist.
    keys.status = frame.constantStatus(tile::Partial);
  }
  return tile::CountOp::create(frame.b, frame.buildBits(source, queries, keys),
                               queries.count);
}

void heddle::buildCountKernel(KernelFrame &frame) {
  ImplicitLocOpBuilder &b = frame.b;
  Type index = b.getIndexType();
  Value exact = frame.open("count", {b.getI1Type()}, {index, index, index});
  QueryTile queries = frame.buildQueryTile(frame.tile);
  SmallVector<Value> counts(3, frame.constant(int64_t{0}));
  for (unsigned source = 0; source < frame.spec.sources.size(); ++source)
    counts = forEachKeyTile(
        frame, source, queries, counts,
        [&](const KeyTile &keys, ValueRange carried) {
          auto countIf = [&](tile::Status wanted, Value count) -> Value {
            Value is =
                arith::CmpIOp::create(b, arith::CmpIPredicate::eq, keys.status,
                                      frame.constantStatus(wanted));
            return arith::AddIOp::create(
                b, count, arith::IndexCastUIOp::create(b, index, is));
          };
          Value full = countIf(tile::Full, carried[0]);
          Value partial = countIf(tile::Partial, carried[1]);
          auto kept = scf::IfOp::create(
              b, exact,
              [&](OpBuilder &, Location) {
                Value pairs = countPairs(frame, source, queries, keys);
                scf::YieldOp::create(
                    b, ValueRange{arith::AddIOp::create(b, carried[2], pairs)});
              },
              [&](OpBuilder &, Location) {
                scf::YieldOp::create(b, carried[2]);
              });
          return SmallVector<Value>{full, partial, kept.getResult(0)};
        });
  func::ReturnOp::create(b, counts);
}
