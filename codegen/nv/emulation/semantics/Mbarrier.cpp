// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/Mbarrier.h"

#include <utility>

namespace heddle::ptx {

bool Mbarrier::refuse(std::string Why) {
  Error = std::move(Why);
  return false;
}

// An object may go through no more than one phase per operation: the count of
// the next one is not zero.
void Mbarrier::advance() {
  if (Pending != 0 || Bytes != 0)
    return;
  ++Phase;
  Pending = Expected;
}

bool Mbarrier::init(uint32_t Count) {
  if (valid())
    return refuse("mbarrier.init of an mbarrier that is in use (" + describe() +
                  "): invalidate it first");
  if (Count == 0 || Count > MaxCount)
    return refuse("mbarrier.init with count " + std::to_string(Count) +
                  ", must be 1 to " + std::to_string(MaxCount));
  Expected = Pending = Count;
  Bytes = 0;
  Phase = 0;
  return true;
}

bool Mbarrier::invalidate() {
  if (!valid())
    return refuse("mbarrier.inval of memory that holds no mbarrier");
  Expected = 0;
  return true;
}

bool Mbarrier::arrive(uint32_t Count) {
  if (!valid())
    return refuse("arrival on memory that holds no mbarrier");
  if (Count == 0 || Count > Pending)
    return refuse(std::to_string(Count) +
                  " arrivals on an mbarrier that waits for " +
                  std::to_string(Pending) + " (" + describe() + ")");
  Pending -= Count;
  advance();
  return true;
}

bool Mbarrier::arriveDrop(uint32_t Count) {
  if (!valid())
    return refuse("arrival on memory that holds no mbarrier");
  if (Count >= Expected || Count > Pending)
    return refuse("arrive_drop of " + std::to_string(Count) +
                  " leaves an mbarrier nothing to wait for (" + describe() +
                  ")");
  Expected -= Count;
  return arrive(Count);
}

bool Mbarrier::expectArrival() {
  if (!valid())
    return refuse("cp.async.mbarrier.arrive on memory that holds no mbarrier");
  if (Pending == MaxCount)
    return refuse("more than " + std::to_string(MaxCount) +
                  " arrivals outstanding on an mbarrier");
  ++Pending;
  return true;
}

bool Mbarrier::expectBytes(uint32_t Count) {
  if (!valid())
    return refuse("expect_tx on memory that holds no mbarrier");
  if (Bytes + int64_t(Count) > int64_t(MaxCount))
    return refuse("expect_tx of " + std::to_string(Count) +
                  " bytes: more than " + std::to_string(MaxCount) +
                  " outstanding (" + describe() + ")");
  Bytes += Count;
  // The count may come back to zero where the completion was first.
  advance();
  return true;
}

bool Mbarrier::completeBytes(uint32_t Count) {
  if (!valid())
    return refuse("complete_tx on memory that holds no mbarrier");
  if (Bytes - int64_t(Count) < -int64_t(MaxCount))
    return refuse("complete_tx of " + std::to_string(Count) +
                  " bytes that nobody expects (" + describe() + ")");
  Bytes -= Count;
  advance();
  return true;
}

bool Mbarrier::completed(uint64_t Token, bool &Known) const {
  Known = valid() && (Token == Phase || Token + 1 == Phase);
  return Token < Phase;
}

std::string Mbarrier::describe() const {
  if (!valid())
    return "no mbarrier";
  return "phase " + std::to_string(Phase) + ", " + std::to_string(Pending) +
         " of " + std::to_string(Expected) + " arrivals and " +
         std::to_string(Bytes) + " bytes outstanding";
}

} // namespace heddle::ptx
