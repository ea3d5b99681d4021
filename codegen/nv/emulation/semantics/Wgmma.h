// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_WGMMA_H
#define HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_WGMMA_H

#include "codegen/nv/emulation/semantics/Mma.h"
#include "codegen/nv/emulation/semantics/Swizzle.h"

#include <optional>
#include <vector>

// wgmma.mma_async (PTX ISA, Asynchronous Warpgroup Level Matrix
// Multiply-Accumulate Instructions): D = A B + D, 64 by k times k by n, by the
// four warps of a warpgroup. The sum is that of mma.sync here (see Mma.h); the
// ISA leaves its order open in the same way.

namespace heddle::ptx {

/// A matrix in shared memory (PTX ISA, Matrix Descriptor Format). Offsets and
/// the address are in bytes.
struct MatrixDescriptor {
  uint32_t Start = 0;
  uint32_t Leading = 0; ///< leading dimension byte offset
  uint32_t Stride = 0;  ///< stride dimension byte offset
  unsigned Base = 0;    ///< base offset: the row at which the swizzle starts
  Swizzle Mode = Swizzle::None;
  /// Whether a bit that belongs to no field is set: an address that ran over
  /// its field, for instance. The ISA gives such a descriptor no meaning.
  bool Malformed = false;
};

MatrixDescriptor decodeDescriptor(uint64_t Bits);

/// The shared memory address of an element (PTX ISA, Shared Memory Matrix
/// Layout, Canonical Layouts). `outer` counts along M or N, `k` along the sum.
/// `outer_major` says whether neighbours along M or N (not along k) are
/// neighbours in memory: the transposed operand.
uint32_t elementAddress(const MatrixDescriptor &Of, bool OuterMajor,
                        unsigned ElementBytes, unsigned Outer, unsigned K);

/// A product of a warpgroup.
struct WgmmaShape {
  static constexpr unsigned M = 64, Warps = 4, RowsPerWarp = 16;
  MmaElement Element = MmaElement::F16;
  unsigned N = 8;       ///< 8, 16, ..., 256
  bool HalfSum = false; ///< D is f16 (operands f16 only)

  unsigned k() const { return Element == MmaElement::TF32 ? 8 : 16; }
  unsigned elementBytes() const { return Element == MmaElement::TF32 ? 4 : 2; }
  static constexpr unsigned registersA() { return 4; }
  unsigned registersD() const { return HalfSum ? N / 4 : N / 2; }
  bool valid() const;
};

/// Where element `index` of `lane` of warp `warp` (of the warpgroup, 0 to 3)
/// stands in D (PTX ISA, Register Fragments and Shared Memory Matrix Layouts).
Coordinate placeWarpgroupD(unsigned Warp, unsigned Lane, unsigned Index);
/// The same for A in registers; packed types count elements.
Coordinate placeWarpgroupA(const WgmmaShape &Shape, unsigned Warp,
                           unsigned Lane, unsigned Index);

/// The 16 rows of A that a warp multiplies, from its registers, row by row.
void rowsFromRegisters(const WgmmaShape &Shape, const WarpRegister *A,
                       std::vector<float> &Rows);

/// An element of shared memory as a number; `bytes` are elementBytes().
float elementValue(const WgmmaShape &Shape, const uint8_t *Bytes);

/// What one warp's rows of D become: `rows` are 16 by k, `columns` k by n, row
/// by row. `accumulate` false starts from zero (scale-d is false); `negate_a`
/// and `negate_b` are imm-scale of -1.
struct WgmmaModifiers {
  bool Accumulate = true, NegateA = false, NegateB = false;
};
void multiplyWarpgroup(const WgmmaShape &Shape, WgmmaModifiers How,
                       const float *Rows, const float *Columns,
                       WarpRegister *D);

/// The groups of asynchronous products of a warp (PTX ISA, wgmma.commit_group,
/// wgmma.wait_group, wgmma.fence). `Operation` is what the caller keeps of one.
template <typename Operation> class WgmmaGroups {
public:
  void issue(Operation What) { Open.push_back(std::move(What)); }
  /// All products issued since the last commit become the youngest group; a
  /// group may be empty.
  void commit() {
    Closed.push_back(std::move(Open));
    Open.clear();
  }
  /// The products of the groups that must be complete for at most `allowed`
  /// of the youngest groups to remain, oldest first.
  std::vector<Operation> wait(unsigned Allowed) {
    std::vector<Operation> Done;
    while (Closed.size() > Allowed) {
      for (Operation &What : Closed.front())
        Done.push_back(std::move(What));
      Closed.erase(Closed.begin());
    }
    return Done;
  }
  /// The youngest product that wait(allowed) would return.
  std::optional<Operation> lastDue(unsigned Allowed) const {
    std::optional<Operation> Last;
    for (size_t I = 0; I + Allowed < Closed.size(); ++I)
      if (!Closed[I].empty())
        Last = Closed[I].back();
    return Last;
  }
  bool idle() const {
    for (const auto &Group : Closed)
      if (!Group.empty())
        return false;
    return Open.empty();
  }
  bool uncommitted() const { return !Open.empty(); }
  /// Visits every product that is not complete.
  template <typename Visitor> void forEach(Visitor Visit) const {
    for (const auto &Group : Closed)
      for (const Operation &What : Group)
        Visit(What);
    for (const Operation &What : Open)
      Visit(What);
  }

private:
  std::vector<Operation> Open;
  std::vector<std::vector<Operation>> Closed;
};

} // namespace heddle::ptx

#endif
