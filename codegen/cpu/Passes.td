// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_PASSES_TD
#define HEDDLE_CODEGEN_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileToCpu : Pass<"tile-to-cpu", "::mlir::ModuleOp"> {
  let summary = "tile kernels as vector code for a CPU";
  let description = [{
    Replaces every `func.func` with the attribute `tile.kernel` by an `llvm.func`
    of the C ABI whose body is `scf`, `arith`, `vector` and `llvm`. Queries run
    along the lanes of vectors, keys and features along rows: tiles that are
    computed live in the task's workspace as `[feature][query]`, row statistics
    as vectors, rows of k and v are read where they are, or as f32 copies where
    they are narrower, listed or rotated, and broadcast one element at a time. No
    reduction of the products crosses lanes. Tiles vanish from the values
    a loop carries; each becomes a fixed piece of the workspace, and a verb
    writes over its operand where nobody needs the operand any more. Masks are
    one integer word per key and vector. The level in `tile.entry` decides the
    instructions, its schedule the register tile; functions with `tile.host`, which
    work for another device, get the baseline. The size of the workspace and
    the needed instruction-set extensions are left as `tile.workspace` and
    `tile.features`. Heavy verbs become functions of their own; those that have
    nothing of the pattern in them carry their verb as `tile.procedure`, for code
    of equal ones is made once.

    ```mlir
    // before
    func.func @k_task(…) attributes {tile.kernel = "task", tile.entry = #attn.entry<…>} {
      %c = tile.scale %o, %f : tensor<48x64xf32>
    // after
    llvm.func hidden @k_task(%args: !llvm.ptr, %b: i64, %h: i64, %t: i64, %w: !llvm.ptr)
        attributes {tile.workspace = 12288, tile.features = "avx512f,…", …} {
      %v = vector.broadcast %f : f32 to vector<16xf32>
      scf.for %i = %c0 to %c3072 step %c16 : i64 {
        %p = llvm.getelementptr %w[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
        %x = llvm.load %p {alignment = 64 : i64} : !llvm.ptr -> vector<16xf32>
        %y = arith.mulf %x, %v : vector<16xf32>
        llvm.store %y, %p {alignment = 64 : i64} : vector<16xf32>, !llvm.ptr
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

#endif // HEDDLE_CODEGEN_CPU_PASSES_TD
