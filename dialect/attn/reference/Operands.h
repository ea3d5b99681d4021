// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Run-time values of pattern parameters as the reference reads them: plain
// numbers, plain arrays, plain sorted lists. The structures that kernels ask
// (bounds, bit words, ranks) are prepared elsewhere, and none of them is used
// here.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_OPERANDS_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_OPERANDS_H

#include "heddle/heddle.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace heddle::attn {

/// What a parameter is: its name, its kind, and the axes of a table or the
/// number of indices that a set is asked with.
struct ParamInfo {
  std::string Name;
  heddle_param_kind Kind = HEDDLE_INTEGER;
  unsigned Rank = 0;
};

/// One value. Copies share their content, which never changes.
class Operand {
public:
  /// An integer; a number stands for itself in lists of operands.
  Operand(int64_t Value = 0) : Integer(Value) {}
  /// A real number, rounded to f32 as parameters are.
  static Operand real(double Value);
  /// Tables in row-major order. An axis of extent 1 stands for all values of
  /// its index. Reals are rounded to f32.
  static Operand integers(std::vector<int64_t> Shape,
                          std::vector<int64_t> Values);
  static Operand reals(std::vector<int64_t> Shape, std::vector<double> Values);
  /// Sets of integers in [0, Size), ascending, one per element of `Shape` in
  /// row-major order; extents of 1 as above.
  static Operand sets(std::vector<int64_t> Shape, int64_t Size,
                      std::vector<std::vector<int64_t>> Rows);
  /// Reads what a caller of the runtime gives for the parameter `Of`. Fails
  /// where a tensor is absent, of a wrong type or shape, and where a set is
  /// not ascending or has members outside of its universe.
  static llvm::Expected<Operand> read(const heddle_value &Value,
                                      const ParamInfo &Of);

  heddle_param_kind kind() const { return Kind; }
  int64_t integer() const { return Integer; }
  double real() const { return Real; }
  /// Extents of a table, or of the indices of a set.
  llvm::ArrayRef<int64_t> shape() const { return Content->Shape; }
  /// Members of the sets lie in [0, size()).
  int64_t size() const { return Content->Size; }

  /// Number of the element or set at `Indices`, shape().size() of them; on
  /// failure -1, and `Axis` is the first one whose index lies outside.
  int64_t find(const int64_t *Indices, unsigned &Axis) const;
  int64_t integerAt(int64_t Number) const {
    return Content->Integers[static_cast<size_t>(Number)];
  }
  double realAt(int64_t Number) const {
    return Content->Reals[static_cast<size_t>(Number)];
  }
  /// The members of a set in ascending order.
  llvm::ArrayRef<int64_t> members(int64_t Number) const {
    return Content->Rows[static_cast<size_t>(Number)];
  }

  /// Fails when the value is not what the parameter is, or holds fewer or more
  /// elements than its shape says.
  llvm::Error check(const ParamInfo &Param) const;

private:
  struct Data {
    std::vector<int64_t> Shape;
    std::vector<int64_t> Integers;
    std::vector<double> Reals;
    std::vector<std::vector<int64_t>> Rows;
    int64_t Size = 0;
  };
  Operand(heddle_param_kind Kind, Data Content)
      : Kind(Kind), Content(std::make_shared<const Data>(std::move(Content))) {}

  static llvm::Expected<Operand> readTable(const heddle_tensor *Table,
                                           const ParamInfo &Of);
  static llvm::Expected<Operand> readSets(const heddle_sets *Sets,
                                          const ParamInfo &Of);

  heddle_param_kind Kind = HEDDLE_INTEGER;
  int64_t Integer = 0;
  double Real = 0;
  std::shared_ptr<const Data> Content;
};

/// The values of all parameters of a pattern, in its order. Copies are cheap.
class OperandList {
public:
  OperandList() = default;
  OperandList(std::vector<Operand> Values)
      : Values(
            std::make_shared<const std::vector<Operand>>(std::move(Values))) {}
  OperandList(std::initializer_list<Operand> Values)
      : OperandList(std::vector<Operand>(Values)) {}
  /// Integers only.
  OperandList(llvm::ArrayRef<int64_t> Values)
      : OperandList(std::vector<Operand>(Values.begin(), Values.end())) {}
  OperandList(const std::vector<int64_t> &Values)
      : OperandList(llvm::ArrayRef<int64_t>(Values)) {}

  /// Reads one value per parameter; `Values` may be null where there are none.
  static llvm::Expected<OperandList> read(const heddle_value *Values,
                                          llvm::ArrayRef<ParamInfo> Params);

  size_t size() const { return Values ? Values->size() : 0; }
  const Operand &operator[](size_t I) const { return (*Values)[I]; }

  /// Fails when there is not one value of the right kind per parameter. `Of` is
  /// whose they are, "pattern 'x'".
  llvm::Error check(const llvm::Twine &Of,
                    llvm::ArrayRef<ParamInfo> Params) const;

private:
  std::shared_ptr<const std::vector<Operand>> Values;
};

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_OPERANDS_H
