# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ggml's flash attention on the CPU, through its C interface. The argument, where
there is one, is the directory of its shared libraries."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from pathlib import Path
from typing import Any

from common import Problem, missing, np, serve
from masks import mask_of

F32, F16 = 0, 1  # ggml_type
DTYPES = {"f32": (F32, np.float32), "f16": (F16, np.float16)}
MASK_ROWS = 64  # a multiple of every padding that versions have asked for


class InitParams(ctypes.Structure):
    _fields_ = [("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p),
                ("no_alloc", ctypes.c_bool)]


def open_libraries() -> tuple[Any, Any]:
    """Those of tensors and of the CPU."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    found = []
    for name in ("ggml-base", "ggml-cpu"):
        path = next(iter(sorted(folder.rglob(f"lib{name}.so*"))), None) if folder else None
        path = str(path) if path else None if folder else ctypes.util.find_library(name)
        if not path:
            missing(f"no library '{name}'" + (f" in '{folder}'" if folder else ""))
        try:
            found.append(ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL))
        except OSError as why:
            missing(f"cannot open '{path}': {why}")
    return found[0], found[1]


def declare(library: Any, name: str, result: Any, *arguments: Any) -> Any:
    try:
        function = getattr(library, name)
    except AttributeError:
        missing(f"the library has no function '{name}'")
    function.restype, function.argtypes = result, arguments
    return function


BASE, CPU = open_libraries()
POINTER, LONG, FLOAT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
init = declare(BASE, "ggml_init", POINTER, InitParams)
free = declare(BASE, "ggml_free", None, POINTER)
new_tensor = declare(BASE, "ggml_new_tensor_4d", POINTER, POINTER, ctypes.c_int, LONG, LONG, LONG, LONG)
get_data = declare(BASE, "ggml_get_data", POINTER, POINTER)
flash = declare(BASE, "ggml_flash_attn_ext", POINTER, POINTER, POINTER, POINTER, POINTER, POINTER,
                FLOAT, FLOAT, FLOAT)
new_graph = declare(BASE, "ggml_new_graph", POINTER, POINTER)
expand = declare(BASE, "ggml_build_forward_expand", None, POINTER, POINTER)
version = declare(BASE, "ggml_version", ctypes.c_char_p)
# A backend keeps its working memory from launch to launch.
make_backend = declare(CPU, "ggml_backend_cpu_init", POINTER)
set_threads = declare(CPU, "ggml_backend_cpu_set_n_threads", None, POINTER, ctypes.c_int)
compute = declare(BASE, "ggml_backend_graph_compute", ctypes.c_int, POINTER, POINTER)


class Flash:
    def __init__(self, of: Problem):
        if of.dtype not in DTYPES:
            raise NotImplementedError(f"dtype {of.dtype} is not asked of ggml here")
        if of.operands:
            raise NotImplementedError("a mask per head is not asked of ggml here")
        self.of = of
        kind, dtype = DTYPES[of.dtype]
        self.keep = mask_of(of)
        self.prepare = self.build if self.keep else None
        padded = -(-of.queries // MASK_ROWS) * MASK_ROWS
        self.mask_shape = (padded, of.keys)
        rows = of.batch * of.heads * of.queries
        size = 4 * (of.q.size + of.k.size + of.v.size + rows * of.v.shape[3]) + 2 * padded * of.keys
        self.context = init(InitParams(size + (64 << 20), None, False))
        if not self.context:
            raise MemoryError("ggml_init failed")
        q, k, v = (self.tensor(x, t) for x, t in ((of.q.astype(np.float32), F32),
                                                  (of.k.astype(dtype), kind), (of.v.astype(dtype), kind)))
        self.mask = new_tensor(self.context, F16, of.keys, padded, 1, 1) if self.keep else None
        self.out = flash(self.context, q, k, v, self.mask, of.scale, 0.0, 0.0)
        self.graph = new_graph(self.context)
        expand(self.graph, self.out)
        set_threads(BACKEND, of.threads)

    def tensor(self, array: Any, kind: int) -> Any:
        array = np.ascontiguousarray(array)
        made = new_tensor(self.context, kind, *reversed(array.shape))
        ctypes.memmove(get_data(made), array.ctypes.data, array.nbytes)
        return made

    def build(self) -> None:
        of = self.of
        assert self.keep
        q, k = np.arange(self.mask_shape[0])[:, None], np.arange(of.keys)[None, :]
        mask = np.where(self.keep(0, 0, q, k), np.float16(0), np.float16(-np.inf))
        mask = np.ascontiguousarray(np.broadcast_to(mask, self.mask_shape))
        ctypes.memmove(get_data(self.mask), mask.ctypes.data, mask.nbytes)

    def run(self) -> None:
        status = compute(BACKEND, self.graph)
        if status != 0:
            raise RuntimeError(f"ggml_backend_graph_compute answered {status}")

    def output(self) -> Any:
        of = self.of
        shape = (of.batch, of.queries, of.heads, of.v.shape[3])
        out = np.empty(shape, np.float32)
        ctypes.memmove(out.ctypes.data, get_data(self.out), out.nbytes)
        return out.transpose(0, 2, 1, 3)

    def __del__(self) -> None:
        if getattr(self, "context", None):
            free(self.context)


if __name__ == "__main__":
    BACKEND = make_backend()
    if not BACKEND:
        missing("ggml_backend_cpu_init failed")
    serve({"version": version().decode()}, lambda contender, problem: Flash(problem))
