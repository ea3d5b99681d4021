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

inline constexpr Member ParamMembers[] = {
    HEDDLE_MEMBER(heddle_param, name),
    HEDDLE_MEMBER(heddle_param, default_value),
    HEDDLE_MEMBER(heddle_param, has_default),
};
static_assert(describes(ParamMembers, sizeof(heddle_param)));

inline constexpr Member CodeMembers[] = {
    HEDDLE_MEMBER(heddle_code, level),
    HEDDLE_MEMBER(heddle_code, features),
    HEDDLE_MEMBER(heddle_code, task),
    HEDDLE_MEMBER(heddle_code, count),
    HEDDLE_MEMBER(heddle_code, query_tile),
    HEDDLE_MEMBER(heddle_code, key_tile),
    HEDDLE_MEMBER(heddle_code, workspace_bytes),
};
static_assert(describes(CodeMembers, sizeof(heddle_code)));

inline constexpr Member EntryMembers[] = {
    HEDDLE_MEMBER(heddle_entry, name),
    HEDDLE_MEMBER(heddle_entry, pattern),
    HEDDLE_MEMBER(heddle_entry, dtype),
    HEDDLE_MEMBER(heddle_entry, uses_batch),
    HEDDLE_MEMBER(heddle_entry, uses_head),
    HEDDLE_MEMBER(heddle_entry, d_qk),
    HEDDLE_MEMBER(heddle_entry, d_v),
    HEDDLE_MEMBER(heddle_entry, num_params),
    HEDDLE_MEMBER(heddle_entry, params),
    HEDDLE_MEMBER(heddle_entry, num_codes),
    HEDDLE_MEMBER(heddle_entry, codes),
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

#undef HEDDLE_MEMBER

} // namespace heddle

#endif // HEDDLE_PASSES_DESCRIPTORLAYOUT_H
