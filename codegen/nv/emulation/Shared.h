// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The shared memory of a CTA, and what is known of every byte: whether it was
// written, whether an asynchronous copy owns it, and who touched it last.
//
// Two accesses to a byte of which one writes must be ordered: by barriers
// between warps (vector clocks, after Flanagan and Freund, "FastTrack", PLDI
// 2009, with one clock per warp), and between lanes of a warp by a barrier or
// bar.warp.sync, since lanes need not run in lock step (PTX ISA, Memory
// Consistency Model). Reading by a collective instruction (ldmatrix) comes
// before everything that its lanes do later.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_SHARED_H
#define HEDDLE_CODEGEN_NV_EMULATION_SHARED_H

#include <cstdint>
#include <string>
#include <vector>

namespace heddle::ptx {

class WarpState;

/// In place of a lane: all lanes of the warp together.
inline constexpr unsigned CollectiveLane = 32;

/// What all lanes of one memory instruction have in common.
struct Access {
  /// A strong access (atomic, volatile, relaxed ...) may meet another one.
  Access(WarpState &By, bool Strong = false);
  WarpState &By;
  const uint32_t *Clock;
  uint32_t Own, Line;
  uint8_t Warp;
  bool Strong;
  /// Of an access through the async proxy, whose clocks are those of that
  /// proxy: the clocks of the generic one.
  const uint32_t *Generic = nullptr;
};

class SharedMemory {
public:
  /// For the next CTA. All clocks start above base().
  void reset(uint64_t Bytes, unsigned Warps, bool Races, uint32_t LastClock);
  uint32_t base() const { return Base; }
  uint64_t size() const { return Size; }
  char *at(uint64_t Offset) { return Data.data() + Skew + Offset; }

  /// Notes an access to [Offset, Offset + Bytes), which lies inside. False: it
  /// was at fault, and the warp has stopped.
  bool read(const Access &A, unsigned Lane, uint64_t Offset, unsigned Bytes);
  bool write(const Access &A, unsigned Lane, uint64_t Offset, unsigned Bytes);
  /// An asynchronous copy begins to own bytes; it has arrived.
  bool beginCopy(const Access &A, unsigned Lane, uint64_t Offset,
                 unsigned Bytes);
  void endCopy(const Access &A, unsigned Lane, uint64_t Offset, unsigned Bytes);

private:
  enum Flag : uint8_t { Pending = 1, StrongWrite = 2, Split = 4 };
  /// A word, or a byte of a word that narrow accesses have split.
  struct Cell {
    uint32_t WriteClock = 0; ///< split: number among the split words
    uint32_t WriteLine = 0, ReadLine = 0;
    uint8_t WriteWarp = 0, WriteLane = 0, ReadWarp = 0, Flags = 0;
  };
  enum class Kind : uint8_t { Read, Write, Begin, End };
  bool each(const Access &A, unsigned Lane, uint64_t Offset, unsigned Bytes,
            Kind What);
  bool touch(const Access &A, unsigned Lane, Kind What, Cell &C,
             uint32_t *Reads, uint64_t Offset);
  bool touchRead(const Access &A, unsigned Lane, Cell &C, uint32_t *Reads,
                 uint64_t Offset);
  bool touchWrite(const Access &A, unsigned Lane, Cell &C,
                  const uint32_t *Reads, uint64_t Offset);
  bool afterWrite(const Access &A, unsigned Lane, const Cell &C,
                  uint64_t Offset, const char *Does);
  void split(uint64_t Word);

  std::vector<char> Data;
  uint64_t Skew = 0, Size = 0;
  unsigned Warps = 0;
  bool Races = true;
  uint32_t Base = 0;
  std::vector<Cell> Words, SplitCells;
  /// Last read of a cell by every warp: clock << 7 | strong << 6 | lane.
  std::vector<uint32_t> WordReads, SplitReads;
};

} // namespace heddle::ptx

#endif
