# How Heddle's own targets are built: warnings are errors, two flavours of
# library (plain C++ for the runtime, LLVM conventions for the compiler).

add_library(heddle_warnings INTERFACE)
target_compile_options(heddle_warnings INTERFACE -Wall -Wextra -Werror
  # LLVM's and MLIR's headers and generated code trip this one.
  -Wno-unused-parameter)
if(HEDDLE_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  # LLVM is built without sanitizers: its vtables are not instrumented.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=vptr>)
  add_link_options(-fsanitize=address,undefined)
endif()

# heddle_compile_alone(FILES...): not together with others of the folder in a
# unity build, where names of their own get in each other's way.
function(heddle_compile_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# The options of every library of the compiler.
function(heddle_library_options name)
  target_include_directories(${name} SYSTEM PUBLIC ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>
                         -ffunction-sections -fdata-sections)
  target_link_libraries(${name} PRIVATE heddle_warnings)
endfunction()

# heddle_add_library(NAME sources... [LINK libs...]): a static library of the
# compiler, linked against the LLVM and MLIR shared libraries only (naming an
# archive beside them would give two copies of every TypeID).
function(heddle_add_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  heddle_library_options(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  # All libraries share one precompiled header: their options are the same.
  if(NOT TARGET heddle_precompiled)
    add_library(heddle_precompiled STATIC ${PROJECT_SOURCE_DIR}/cmake/Precompiled.cpp)
    heddle_library_options(heddle_precompiled)
    target_compile_options(heddle_precompiled PRIVATE $<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>)
    target_precompile_headers(heddle_precompiled PRIVATE ${PROJECT_SOURCE_DIR}/cmake/Precompiled.h)
  endif()
  target_precompile_headers(${name} REUSE_FROM heddle_precompiled)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# heddle_add_tool(NAME sources... [LINK libs...]): a program of the compiler.
# CLI11 throws inside the program, so exceptions stay on here.
function(heddle_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE heddle_warnings ${ARG_LINK})
  target_link_options(${name} PRIVATE -Wl,--gc-sections)
endfunction()
