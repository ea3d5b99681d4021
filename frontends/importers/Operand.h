// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The run-time values that an imported pattern comes with: tables of integers
// and families of sets, in memory, before they become .npy files.

#ifndef HEDDLE_FRONTENDS_IMPORTERS_OPERAND_H
#define HEDDLE_FRONTENDS_IMPORTERS_OPERAND_H

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace heddle::importers {

/// How an operand is stored, in the words of `heddle run --set`.
enum class Storage {
  Table, ///< x.npy
  Lists, ///< lists:x.npy,x_lengths.npy
  Csr,   ///< csr:x_indptr.npy,x_indices.npy
  Map,   ///< map:x.npy
};

/// The value of one parameter of a pattern. An axis of extent 1 stands for all
/// values of its index.
struct Operand {
  /// A table of integers with these extents; elements in row-major order.
  static Operand table(std::string Name, std::vector<int64_t> Shape,
                       std::vector<int32_t> Values);
  /// The table with extent 1 along each of the first two axes that nothing
  /// depends on.
  Operand collapsed() &&;
  /// Sets of integers in [0, Size), one per row of `Rows`, whose numbers are
  /// those of `Shape` in row-major order. Rows need be neither sorted nor free
  /// of duplicates; they are afterwards. Stored in the form that takes the
  /// fewest bytes.
  static Operand sets(std::string Name, std::vector<int64_t> Shape,
                      int64_t Size, std::vector<std::vector<int32_t>> Rows);

  std::string Name;
  Storage As = Storage::Table;
  /// Extents of the table, or of the indices of the sets.
  std::vector<int64_t> Shape;
  /// Elements of the table.
  std::vector<int32_t> Values;
  /// Of sets: members lie in [0, Size), in ascending order.
  int64_t Size = 0;
  std::vector<std::vector<int32_t>> Rows;

  bool isTable() const { return As == Storage::Table; }
  int64_t members() const;
  /// Bytes of elements when stored as `How`.
  int64_t bytesAs(Storage How) const;
  int64_t bytes() const { return bytesAs(As); }
  /// Number of the element or row at these indices.
  int64_t offset(const int64_t *Indices) const;
};

/// Sorts and leaves out duplicates; returns how many there were.
int64_t sortUnique(std::vector<int32_t> &Members);

/// The numbers of elements along the axes, multiplied.
int64_t product(const std::vector<int64_t> &Shape);

} // namespace heddle::importers

#endif // HEDDLE_FRONTENDS_IMPORTERS_OPERAND_H
