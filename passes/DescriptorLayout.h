// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The structures of a bundle's descriptor, member by member, as the compiler
// emits them. `heddle/abi.h` is where they are defined; offsets, sizes and
// kinds are taken from there by the C++ compiler, and a list below that leaves
// out a member or has another order does not compile.

#ifndef HEDDLE_PASSES_DESCRIPTORLAYOUT_H
#define HEDDLE_PASSES_DESCRIPTORLAYOUT_H

#include "heddle/abi.h"

#include <cstddef>
#include <type_traits>

namespace heddle {

/// One member of a C structure: an integer, or a pointer.
struct Member {
  const char *Name;
  size_t Offset;
  size_t Size;
  bool IsPointer;
};

/// True if `Members`, each aligned to its own size as the 64-bit C ABIs do it,
/// are laid out one after the other and end where a structure of `Size` bytes
/// ends.
template <size_t N>
constexpr bool describes(const Member (&Members)[N], size_t Size) {
  size_t End = 0;
  size_t Alignment = 1;
  for (const Member &M : Members) {
    size_t Start = (End + M.Size - 1) / M.Size * M.Size;
    if (M.Offset != Start)
      return false;
    End = Start + M.Size;
    Alignment = M.Size > Alignment ? M.Size : Alignment;
  }
  return (End + Alignment - 1) / Alignment * Alignment == Size;
}

/// The member of type `T` at `Offset`.
template <typename T>
constexpr Member makeMember(const char *Name, size_t Offset) {
  return {Name, Offset, sizeof(T), std::is_pointer<T>::value};
}

#define HEDDLE_MEMBER(Struct, Name)                                            \
  makeMember<decltype(Struct::Name)>(#Name, offsetof(Struct, Name))
/// An element of an array, as a member of its own.
#define HEDDLE_ELEMENT(Struct, Name, Index)                                    \
  makeMember<std::remove_extent_t<decltype(Struct::Name)>>(                    \
      #Name "[" #Index "]",                                                    \
      offsetof(Struct, Name) +                                                 \
          (Index) * sizeof(std::remove_extent_t<decltype(Struct::Name)>))
#define HEDDLE_THREE_ELEMENTS(Struct, Name)                                    \
  HEDDLE_ELEMENT(Struct, Name, 0), HEDDLE_ELEMENT(Struct, Name, 1),            \
      HEDDLE_ELEMENT(Struct, Name, 2)

inline constexpr Member ParamMembers[] = {
    HEDDLE_MEMBER(heddle_param, name),
    // A union of 8 bytes, written as an integer.
    HEDDLE_MEMBER(heddle_param, default_value),
    HEDDLE_MEMBER(heddle_param, has_default),
    HEDDLE_MEMBER(heddle_param, kind),
    HEDDLE_MEMBER(heddle_param, rank),
    HEDDLE_MEMBER(heddle_param, needs_bounds),
};
static_assert(describes(ParamMembers, sizeof(heddle_param)));
static_assert(sizeof(heddle_operand) == sizeof(int64_t));

inline constexpr Member CheckMembers[] = {
    HEDDLE_MEMBER(heddle_check, message),
    HEDDLE_MEMBER(heddle_check, param),
    HEDDLE_MEMBER(heddle_check, axis),
};
static_assert(describes(CheckMembers, sizeof(heddle_check)));

inline constexpr Member DeviceCodeMembers[] = {
    HEDDLE_MEMBER(heddle_device_code, target),
    HEDDLE_MEMBER(heddle_device_code, task),
    HEDDLE_MEMBER(heddle_device_code, columns),
    HEDDLE_MEMBER(heddle_device_code, ptx),
    HEDDLE_MEMBER(heddle_device_code, ptx_bytes),
    HEDDLE_MEMBER(heddle_device_code, cubin),
    HEDDLE_MEMBER(heddle_device_code, cubin_bytes),
    HEDDLE_MEMBER(heddle_device_code, arch),
    HEDDLE_MEMBER(heddle_device_code, threads),
    HEDDLE_MEMBER(heddle_device_code, shared_bytes),
    HEDDLE_MEMBER(heddle_device_code, columns_threads),
    HEDDLE_MEMBER(heddle_device_code, columns_shared_bytes),
    HEDDLE_MEMBER(heddle_device_code, tf32),
    HEDDLE_MEMBER(heddle_device_code, merge),
    HEDDLE_MEMBER(heddle_device_code, merge_threads),
    HEDDLE_MEMBER(heddle_device_code, merge_shared_bytes),
};
static_assert(describes(DeviceCodeMembers, sizeof(heddle_device_code)));

inline constexpr Member CodeMembers[] = {
    HEDDLE_MEMBER(heddle_code, level),
    HEDDLE_MEMBER(heddle_code, features),
    HEDDLE_MEMBER(heddle_code, task),
    HEDDLE_MEMBER(heddle_code, count),
    HEDDLE_MEMBER(heddle_code, check),
    HEDDLE_MEMBER(heddle_code, columns),
    HEDDLE_MEMBER(heddle_code, query_tile),
    HEDDLE_MEMBER(heddle_code, key_tile),
    HEDDLE_THREE_ELEMENTS(heddle_code, query_box),
    HEDDLE_THREE_ELEMENTS(heddle_code, key_box),
    HEDDLE_MEMBER(heddle_code, workspace_bytes),
    HEDDLE_MEMBER(heddle_code, heads),
    HEDDLE_MEMBER(heddle_code, packed),
    HEDDLE_MEMBER(heddle_code, state),
    HEDDLE_MEMBER(heddle_code, step),
    HEDDLE_MEMBER(heddle_code, slice),
    HEDDLE_MEMBER(heddle_code, slice_values),
    HEDDLE_MEMBER(heddle_code, step_tokens),
    // 8 bytes, written as an integer.
    HEDDLE_MEMBER(heddle_code, chunk_flop),
    HEDDLE_MEMBER(heddle_code, device),
};
static_assert(describes(CodeMembers, sizeof(heddle_code)));

inline constexpr Member EntryMembers[] = {
    HEDDLE_MEMBER(heddle_entry, name),
    HEDDLE_MEMBER(heddle_entry, pattern),
    HEDDLE_MEMBER(heddle_entry, dtype),
    HEDDLE_MEMBER(heddle_entry, output_dtype),
    HEDDLE_MEMBER(heddle_entry, uses_batch),
    HEDDLE_MEMBER(heddle_entry, uses_head),
    HEDDLE_MEMBER(heddle_entry, d_qk),
    HEDDLE_MEMBER(heddle_entry, d_v),
    HEDDLE_MEMBER(heddle_entry, num_params),
    HEDDLE_MEMBER(heddle_entry, params),
    HEDDLE_MEMBER(heddle_entry, num_checks),
    HEDDLE_MEMBER(heddle_entry, checks),
    HEDDLE_MEMBER(heddle_entry, num_sources),
    HEDDLE_MEMBER(heddle_entry, grid_axes),
    HEDDLE_THREE_ELEMENTS(heddle_entry, query_grid),
    HEDDLE_THREE_ELEMENTS(heddle_entry, key_grid),
    HEDDLE_MEMBER(heddle_entry, has_lse),
    HEDDLE_MEMBER(heddle_entry, has_row_max),
    HEDDLE_MEMBER(heddle_entry, has_column_sums),
    HEDDLE_MEMBER(heddle_entry, has_block_max),
    HEDDLE_MEMBER(heddle_entry, block_q),
    HEDDLE_MEMBER(heddle_entry, block_k),
    HEDDLE_MEMBER(heddle_entry, num_codes),
    HEDDLE_MEMBER(heddle_entry, codes),
    HEDDLE_MEMBER(heddle_entry, form),
    HEDDLE_MEMBER(heddle_entry, has_sums),
    HEDDLE_MEMBER(heddle_entry, is_causal),
    HEDDLE_MEMBER(heddle_entry, can_scan),
    HEDDLE_MEMBER(heddle_entry, state_rows),
    HEDDLE_MEMBER(heddle_entry, window_param),
};
static_assert(describes(EntryMembers, sizeof(heddle_entry)));

inline constexpr Member DescriptorMembers[] = {
    HEDDLE_MEMBER(heddle_descriptor, magic),
    HEDDLE_MEMBER(heddle_descriptor, abi_version),
    HEDDLE_MEMBER(heddle_descriptor, size),
    HEDDLE_MEMBER(heddle_descriptor, compiler),
    HEDDLE_MEMBER(heddle_descriptor, arch),
    HEDDLE_MEMBER(heddle_descriptor, manifest),
    HEDDLE_MEMBER(heddle_descriptor, num_entries),
    HEDDLE_MEMBER(heddle_descriptor, entries),
};
static_assert(describes(DescriptorMembers, sizeof(heddle_descriptor)));

#undef HEDDLE_THREE_ELEMENTS
#undef HEDDLE_ELEMENT
#undef HEDDLE_MEMBER

} // namespace heddle

#endif // HEDDLE_PASSES_DESCRIPTORLAYOUT_H
