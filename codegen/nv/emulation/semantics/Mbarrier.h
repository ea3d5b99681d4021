// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_MBARRIER_H
#define HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_MBARRIER_H

#include <cstdint>
#include <string>

namespace heddle::ptx {

/// An mbarrier object (PTX ISA, Parallel Synchronization and Communication
/// Instructions: mbarrier) as the state that the ISA says it keeps. What the
/// ISA leaves undefined is refused: the operation returns false, changes
/// nothing, and error() says what was wrong.
///
/// A phase is complete when no arrival and no byte is outstanding; the next
/// one then begins at once, with all arrivals outstanding again.
class Mbarrier {
public:
  static constexpr uint32_t MaxCount = (1U << 20) - 1;

  /// An object that was not initialised, or was invalidated.
  Mbarrier() = default;

  /// mbarrier.init: phase 0, `count` arrivals, no bytes.
  bool init(uint32_t Count);
  /// mbarrier.inval.
  bool invalidate();
  bool valid() const { return Expected != 0; }

  /// mbarrier.arrive: `count` of the arrivals of this phase.
  bool arrive(uint32_t Count = 1);
  /// mbarrier.arrive_drop: arrives, and all later phases expect as many fewer.
  bool arriveDrop(uint32_t Count = 1);
  /// cp.async.mbarrier.arrive without .noinc: one more arrival is outstanding
  /// in this phase (it is made when the copies are complete).
  bool expectArrival();
  /// mbarrier.expect_tx and .complete_tx: bytes outstanding in this phase. The
  /// completion may come before the expectation.
  bool expectBytes(uint32_t Bytes);
  bool completeBytes(uint32_t Bytes);

  /// The token of arrive: names the phase that is going on.
  uint64_t token() const { return Phase; }
  /// test_wait, try_wait: whether the phase named by a token is complete. False
  /// as the result of `known` where the token is neither of this phase nor of
  /// the one before: such a test has no meaning.
  bool completed(uint64_t Token, bool &Known) const;
  /// The same by parity: whether the phase of that parity, the current one or
  /// the one just before, is complete.
  bool completedParity(bool Odd) const { return (Phase & 1) != uint64_t(Odd); }

  uint64_t phase() const { return Phase; }
  uint32_t pending() const { return Pending; }
  int64_t bytes() const { return Bytes; }
  uint32_t expected() const { return Expected; }

  /// Why the last operation that returned false did so.
  const std::string &error() const { return Error; }
  /// For messages: "phase 3, 1 of 2 arrivals and 4096 bytes outstanding".
  std::string describe() const;

private:
  bool refuse(std::string Why);
  void advance();

  uint32_t Expected = 0, Pending = 0;
  int64_t Bytes = 0;
  uint64_t Phase = 0;
  std::string Error;
};

} // namespace heddle::ptx

#endif
