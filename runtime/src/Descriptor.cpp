// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Bundle.h"
#include "Dtype.h"

#include "codegen/cpu/HostFeatures.h"

#include <unordered_set>

using namespace heddle;
using namespace heddle::runtime;

/// An entry that no compiler of ours writes.
static heddle_error *damaged(const std::string &Bundle,
                             const std::string &What) {
  return makeError(HEDDLE_INVALID_BUNDLE,
                   "bundle '{}' is damaged: {}; compile it again", Bundle,
                   What);
}

static bool isTable(const heddle_param &Param) {
  return Param.kind == HEDDLE_INTEGER_TABLE || Param.kind == HEDDLE_REAL_TABLE;
}

static heddle_error *checkParams(const heddle_entry &Entry,
                                 const std::string &Bundle) {
  if (Entry.num_params < 0 || (Entry.num_params > 0 && !Entry.params))
    return damaged(Bundle,
                   fmt::format("kernel '{}' has no usable list of parameters",
                               Entry.name));
  std::unordered_set<std::string> Names;
  for (int64_t I = 0; I < Entry.num_params; ++I) {
    const heddle_param &Param = Entry.params[I];
    if (!Param.name || !*Param.name)
      return damaged(Bundle, fmt::format("parameter {} of kernel '{}' has no "
                                         "name",
                                         I, Entry.name));
    if (!Names.insert(Param.name).second)
      return damaged(Bundle, fmt::format("kernel '{}' has two parameters '{}'",
                                         Entry.name, Param.name));
    bool Scalar = Param.kind == HEDDLE_INTEGER || Param.kind == HEDDLE_REAL;
    bool Known = Scalar || isTable(Param) || Param.kind == HEDDLE_SET;
    if (!Known || Param.rank < (isTable(Param) ? 1 : 0) ||
        Param.rank > (Scalar           ? 0
                      : isTable(Param) ? 4
                                       : 3) ||
        (Param.has_default && !Scalar))
      return damaged(
          Bundle, fmt::format("parameter '{}' of kernel '{}' has kind {} "
                              "with {} axes and {}",
                              Param.name, Entry.name, Param.kind, Param.rank,
                              Param.has_default ? "a default" : "no default"));
  }
  return nullptr;
}

static heddle_error *checkChecks(const heddle_entry &Entry,
                                 const std::string &Bundle) {
  if (Entry.num_checks < 0 || (Entry.num_checks > 0 && !Entry.checks))
    return damaged(Bundle, fmt::format("kernel '{}' has no usable list of "
                                       "checks",
                                       Entry.name));
  for (int64_t I = 0; I < Entry.num_checks; ++I) {
    const heddle_check &Check = Entry.checks[I];
    if (Check.message)
      continue;
    bool Known = Check.param >= 0 && Check.param < Entry.num_params;
    if (!Known || Check.axis < 0 ||
        Check.axis >= Entry.params[Check.param].rank)
      return damaged(Bundle,
                     fmt::format("check {} of kernel '{}' is about axis "
                                 "{} of parameter {}",
                                 I, Entry.name, Check.axis, Check.param));
  }
  return nullptr;
}

static heddle_error *checkGrid(const heddle_entry &Entry,
                               const std::string &Bundle) {
  bool Sound = Entry.grid_axes >= 0 && Entry.grid_axes <= 3;
  for (int64_t Axis = 0; Sound && Axis < Entry.grid_axes; ++Axis)
    for (int64_t Param : {Entry.query_grid[Axis], Entry.key_grid[Axis]})
      Sound &= Param >= 0 && Param < Entry.num_params &&
               Entry.params[Param].kind == HEDDLE_INTEGER;
  if (Sound)
    return nullptr;
  return damaged(Bundle, fmt::format("kernel '{}' has a token grid of {} axes "
                                     "whose extents are not among its integers",
                                     Entry.name, Entry.grid_axes));
}

/// Whether a box of a grid has as many tokens as the tile; true without a grid.
static bool isBox(const int64_t (&Box)[3], int64_t Axes, int64_t Tile) {
  int64_t Tokens = 1;
  for (int64_t Axis = 0; Axis < Axes; ++Axis)
    if (Box[Axis] < 1 || __builtin_mul_overflow(Tokens, Box[Axis], &Tokens))
      return false;
  return Axes == 0 || Tokens == Tile;
}

static bool hasSoundSizes(const heddle_code &Code) {
  return Code.query_tile >= 1 && Code.key_tile >= 1 &&
         Code.workspace_bytes >= 0;
}

/// What the runtime relies on in a linear kernel. `Code` has sound sizes.
static bool isSoundLinear(const heddle_entry &Entry, const heddle_code &Code) {
  bool HasSlices = Code.slice_values > 0 && Entry.d_v % Code.slice_values == 0;
  if (Code.slice ? !HasSlices : Code.slice_values != 0)
    return false;
  return Code.query_tile == Code.key_tile && Code.step_tokens >= 0 &&
         !Code.packed && (Code.state || Code.device || !Entry.can_scan);
}

static heddle_error *checkForm(const heddle_entry &Entry,
                               const std::string &Bundle) {
  if (Entry.form == HEDDLE_ATTENTION)
    return nullptr;
  if (Entry.form != HEDDLE_LINEAR)
    return damaged(Bundle, fmt::format("kernel '{}' has the form {}, neither "
                                       "attention nor linear",
                                       Entry.name, Entry.form));
  int64_t Window = Entry.window_param;
  bool HasWindow = Window >= 0 && Window < Entry.num_params &&
                   Entry.params[Window].kind == HEDDLE_INTEGER;
  int64_t Elements = 0;
  bool Fits =
      !__builtin_mul_overflow(Entry.state_rows, Entry.d_v + 2, &Elements) &&
      Elements <= INT32_MAX;
  if (Entry.state_rows < 1 || !Fits || (Window != -1 && !HasWindow) ||
      (HasWindow && !Entry.is_causal) || Entry.num_sources != 1 ||
      Entry.grid_axes != 0 || Entry.has_lse || Entry.has_row_max ||
      Entry.has_column_sums || Entry.has_block_max)
    return damaged(Bundle,
                   fmt::format("kernel '{}' is linear with {} rows of state, "
                               "the window parameter {}, or parts of attention",
                               Entry.name, Entry.state_rows, Window));
  return nullptr;
}

/// What the runtime relies on where it hands code to a device's driver.
static bool isSoundDevice(const heddle_entry &Entry, const heddle_code &Code) {
  const heddle_device_code &Of = *Code.device;
  auto IsLaunchable = [](const char *Symbol, int64_t Threads, int64_t Shared) {
    return *Symbol && Threads >= 1 && Threads <= 1024 && Shared >= 0 &&
           Shared <= INT32_MAX;
  };
  const int64_t Block =
      static_cast<int64_t>(sizeof(heddle_device_launch) + sizeof(heddle_args)) +
      Entry.num_sources * static_cast<int64_t>(sizeof(heddle_source)) +
      Entry.num_params * static_cast<int64_t>(sizeof(heddle_operand));
  return Of.target && Of.task && (Of.ptx || Of.cubin) && Of.arch >= 10 &&
         IsLaunchable(Of.task, Of.threads, Of.shared_bytes) &&
         (!Of.columns || IsLaunchable(Of.columns, Of.columns_threads,
                                      Of.columns_shared_bytes)) &&
         (!Of.merge ||
          IsLaunchable(Of.merge, Of.merge_threads, Of.merge_shared_bytes)) &&
         Block <= HEDDLE_DEVICE_BLOCK_LIMIT;
}

/// What the runtime relies on where it runs the packed code of `Code`.
static bool isSoundPacked(const heddle_entry &Entry, const heddle_code &Code) {
  const heddle_code &Packed = *Code.packed;
  // The merge of parts is in the module that is loaded anyway.
  const bool IsLaunchable = Code.device ? Packed.device &&
                                              isSoundDevice(Entry, Packed) &&
                                              Packed.device->merge
                                        : Packed.task && !Packed.device;
  return IsLaunchable && Packed.count && hasSoundSizes(Packed) &&
         Entry.grid_axes == 0 && Entry.num_sources == 1 &&
         !Entry.has_column_sums && !Entry.has_block_max;
}

/// Whether there are all functions that the entry calls for.
static bool hasEntryPoints(const heddle_entry &Entry, const heddle_code &Code) {
  const bool WantsColumns = Entry.has_column_sums || Entry.has_block_max;
  const bool HasTask =
      Code.device ? Code.device->task != nullptr : Code.task != nullptr;
  const bool HasColumns =
      Code.device ? Code.device->columns != nullptr : Code.columns != nullptr;
  return HasTask && (Code.count || Entry.form == HEDDLE_LINEAR) &&
         (Entry.num_checks == 0 || Code.check) && (!WantsColumns || HasColumns);
}

static heddle_error *checkCodes(const heddle_entry &Entry,
                                const std::string &Bundle) {
  if (Entry.num_codes < 1 || !Entry.codes)
    return damaged(Bundle, fmt::format("kernel '{}' has no code", Entry.name));
  std::unordered_set<std::string> Levels;
  for (int64_t I = 0; I < Entry.num_codes; ++I) {
    const heddle_code &Code = Entry.codes[I];
    if (!Code.level || !Code.features)
      return damaged(Bundle, fmt::format("code {} of kernel '{}' does not name "
                                         "its level and extensions",
                                         I, Entry.name));
    if (!Levels.insert(Code.level).second)
      return damaged(Bundle, fmt::format("kernel '{}' has two codes of level "
                                         "'{}'",
                                         Entry.name, Code.level));
    bool IsLinear = Entry.form == HEDDLE_LINEAR;
    if (!hasEntryPoints(Entry, Code))
      return damaged(Bundle, fmt::format("level '{}' of kernel '{}' has no "
                                         "entry points",
                                         Code.level, Entry.name));
    if (!hasSoundSizes(Code))
      return damaged(Bundle,
                     fmt::format("level '{}' of kernel '{}' has tile {} x {} "
                                 "and {} bytes of workspace",
                                 Code.level, Entry.name, Code.query_tile,
                                 Code.key_tile, Code.workspace_bytes));
    if (Code.heads < 0 ||
        (Code.heads > 1 && (IsLinear || Code.device || Entry.uses_head)))
      return damaged(Bundle,
                     fmt::format("level '{}' of kernel '{}' has tasks of {} "
                                 "heads",
                                 Code.level, Entry.name, Code.heads));
    if (Code.device && !isSoundDevice(Entry, Code))
      return damaged(Bundle,
                     fmt::format("level '{}' of kernel '{}' has device code "
                                 "that cannot be run",
                                 Code.level, Entry.name));
    if (IsLinear && !isSoundLinear(Entry, Code))
      return damaged(Bundle,
                     fmt::format("level '{}' of kernel '{}' has linear code "
                                 "that cannot be run",
                                 Code.level, Entry.name));
    if (!isBox(Code.query_box, Entry.grid_axes, Code.query_tile) ||
        !isBox(Code.key_box, Entry.grid_axes, Code.key_tile))
      return damaged(Bundle,
                     fmt::format("level '{}' of kernel '{}' has boxes that are "
                                 "not its tile {} x {}",
                                 Code.level, Entry.name, Code.query_tile,
                                 Code.key_tile));
    if (Code.packed && !isSoundPacked(Entry, Code))
      return damaged(Bundle,
                     fmt::format("level '{}' of kernel '{}' has packed code "
                                 "that cannot be run",
                                 Code.level, Entry.name));
  }
  return nullptr;
}

static heddle_error *checkEntry(const heddle_entry &Entry, int64_t Index,
                                const std::string &Bundle) {
  if (!Entry.name || !*Entry.name || !Entry.pattern)
    return damaged(Bundle, fmt::format("kernel {} has no name", Index));
  for (int32_t Dtype : {Entry.dtype, Entry.output_dtype})
    if (!isFloat(Dtype))
      return damaged(Bundle,
                     fmt::format("kernel '{}' has the dtype {}, no f32, "
                                 "f16 or bf16",
                                 Entry.name, Dtype));
  if (Entry.d_qk < 1 || Entry.d_v < 1)
    return damaged(Bundle, fmt::format("kernel '{}' has head dims {} and {}",
                                       Entry.name, Entry.d_qk, Entry.d_v));
  if (Entry.num_sources < 1)
    return damaged(Bundle, fmt::format("kernel '{}' has {} sources of keys",
                                       Entry.name, Entry.num_sources));
  if (Entry.has_block_max && (Entry.block_q < 1 || Entry.block_k < 1))
    return damaged(Bundle,
                   fmt::format("kernel '{}' has blocks of {} x {}", Entry.name,
                               Entry.block_q, Entry.block_k));
  if (heddle_error *E = checkParams(Entry, Bundle))
    return E;
  if (heddle_error *E = checkChecks(Entry, Bundle))
    return E;
  if (heddle_error *E = checkGrid(Entry, Bundle))
    return E;
  if (heddle_error *E = checkForm(Entry, Bundle))
    return E;
  return checkCodes(Entry, Bundle);
}

heddle_error *runtime::checkDescriptor(const heddle_descriptor *Descriptor,
                                       const std::string &Name) {
  const heddle_descriptor &D = *Descriptor;
  if (D.magic != HEDDLE_ABI_MAGIC)
    return makeError(HEDDLE_INVALID_BUNDLE,
                     "'{}' is not a bundle: its descriptor begins with "
                     "{:#018x}, expected {:#018x}",
                     Name, D.magic, HEDDLE_ABI_MAGIC);
  // The version comes before all else: what follows may lie elsewhere.
  if (D.abi_version != HEDDLE_ABI_VERSION)
    return makeError(HEDDLE_VERSION_MISMATCH,
                     "bundle '{}' has ABI version {}, this runtime ({}) reads "
                     "version {}; compile it with the matching heddle",
                     Name, D.abi_version, heddle_version(), HEDDLE_ABI_VERSION);
  if (D.size != sizeof(heddle_descriptor))
    return damaged(Name, fmt::format("its descriptor has {} bytes, expected {}",
                                     D.size, sizeof(heddle_descriptor)));
  if (!D.compiler || !D.arch || !D.manifest)
    return damaged(Name, "it does not name its compiler, architecture and "
                         "manifest");
  if (D.arch != cpu::hostArch())
    return makeError(HEDDLE_UNSUPPORTED,
                     "bundle '{}' is compiled for {}, this machine is {}; "
                     "compile it for this machine",
                     Name, D.arch, cpu::hostArch());
  if (D.num_entries < 0 || (D.num_entries > 0 && !D.entries))
    return damaged(Name, "it has no usable list of kernels");
  std::unordered_set<std::string> Names;
  for (int64_t I = 0; I < D.num_entries; ++I) {
    if (heddle_error *E = checkEntry(D.entries[I], I, Name))
      return E;
    if (!Names.insert(D.entries[I].name).second)
      return damaged(Name,
                     fmt::format("it has two kernels '{}'", D.entries[I].name));
  }
  return nullptr;
}
