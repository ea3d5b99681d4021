# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The runtime's C interface (heddle/heddle.h, heddle/device.h) for Python, as far
as the benchmark needs it: bundles, plans, launches on this machine's threads and
on a device. Tensors are addresses with shapes, whoever owns their memory."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_void_p
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

F32, F16, BF16, I32, I64, BOOL = range(6)  # heddle_dtype
DTYPES = {"f32": F32, "f16": F16, "bf16": BF16}
INTEGER, REAL, INTEGER_TABLE, REAL_TABLE, SET = range(5)  # heddle_param_kind
MAP = 2  # heddle_set_format


class HeddleError(Exception):
    """What the runtime reports."""


class CTensor(Structure):
    _fields_ = [("data", c_void_p), ("dtype", c_int32), ("rank", c_int32),
                ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64))]


TensorP = POINTER(CTensor)


class CSets(Structure):
    _fields_ = [("format", c_int32), ("size", c_int64), ("indices", TensorP), ("lengths", TensorP),
                ("indptr", TensorP), ("map", TensorP)]


class CValue(Structure):
    _fields_ = [("integer", c_int64), ("real", c_double), ("table", TensorP), ("sets", POINTER(CSets))]


class CProblem(Structure):
    _fields_ = [("batch", c_int64), ("heads_q", c_int64), ("heads_kv", c_int64), ("seq_q", c_int64),
                ("seq_k", c_int64), ("origin", POINTER(c_int64)), ("params", POINTER(CValue)),
                ("cu_seqlens_q", POINTER(c_int64)), ("cu_seqlens_k", POINTER(c_int64)),
                ("more_seq_k", POINTER(c_int64)), ("trusted", c_int32), ("segments", c_int64),
                ("multiprocessors", c_int64)]


class CTensors(Structure):
    _fields_ = [("q", TensorP), ("k", TensorP), ("v", TensorP), ("o", TensorP), ("lse", TensorP),
                ("scale", c_float), ("more_k", c_void_p), ("more_v", c_void_p), ("row_max", TensorP),
                ("column_sums", TensorP), ("block_max", TensorP), ("more_column_sums", c_void_p),
                ("more_block_max", c_void_p), ("state_in", TensorP), ("state_out", TensorP),
                ("sums_in", TensorP), ("sums_out", TensorP)]


class CStats(Structure):
    _fields_ = [("tiles_full", c_int64), ("tiles_partial", c_int64), ("tiles_empty", c_int64),
                ("kept_pairs", c_int64)]


class CInfo(Structure):
    _fields_ = [("name", c_char_p), ("driver", c_char_p), ("driver_version", c_int32),
                ("ordinal", c_int32), ("arch", c_int32), ("multiprocessors", c_int32),
                ("shared_bytes", c_int64)]


class CParam(Structure):
    _fields_ = [("name", c_char_p), ("default_value", c_int64), ("has_default", c_int32),
                ("kind", c_int32), ("rank", c_int32), ("needs_bounds", c_int32)]


class CEntry(Structure):
    """The first members of heddle_entry."""

    _fields_ = [("name", c_char_p), ("pattern", c_char_p), ("dtype", c_int32),
                ("output_dtype", c_int32), ("uses_batch", c_int32), ("uses_head", c_int32),
                ("d_qk", c_int64), ("d_v", c_int64), ("num_params", c_int64), ("params", POINTER(CParam))]


class CCode(Structure):
    """The first member of heddle_code."""

    _fields_ = [("level", c_char_p)]


# name: (result, arguments); a result of c_void_p that may fail is an error.
HANDLE, OUT = c_void_p, POINTER(c_void_p)
FAILS: dict[str, tuple[Any, ...]] = {
    "heddle_bundle_open": (c_char_p, OUT),
    "heddle_bundle_find": (HANDLE, c_char_p, OUT),
    "heddle_kernel_code": (HANDLE, OUT),
    "heddle_plan_create_with": (HANDLE, HANDLE, POINTER(CProblem), OUT),
    "heddle_plan_stats": (HANDLE, HANDLE, POINTER(CStats)),
    "heddle_pool_create": (c_int32, OUT),
    "heddle_launch": (HANDLE, POINTER(CTensors), HANDLE),
    "heddle_device_open": (c_void_p, c_int32, OUT),
    "heddle_device_allocate": (HANDLE, c_int64, OUT),
    "heddle_device_upload": (HANDLE, c_void_p, c_void_p, c_int64, c_void_p),
    "heddle_device_download": (HANDLE, c_void_p, c_void_p, c_int64, c_void_p),
    "heddle_device_synchronize": (HANDLE, c_void_p),
    "heddle_device_code_of": (HANDLE, HANDLE, c_char_p, OUT),
    "heddle_device_plan_create": (HANDLE, HANDLE, OUT),
    "heddle_device_plan_launch": (HANDLE, POINTER(CTensors), c_void_p),
}
PLAIN: dict[str, tuple[Any, ...]] = {
    "heddle_error_message": (c_char_p, HANDLE),
    "heddle_error_free": (None, HANDLE),
    "heddle_version": (c_char_p,),
    "heddle_bundle_close": (None, HANDLE),
    "heddle_bundle_kernel": (HANDLE, HANDLE, c_int64),
    "heddle_kernel_entry": (POINTER(CEntry), HANDLE),
    "heddle_plan_destroy": (None, HANDLE),
    "heddle_plan_code": (POINTER(CCode), HANDLE),
    "heddle_plan_parts": (c_int64, HANDLE),
    "heddle_pool_destroy": (None, HANDLE),
    "heddle_device_close": (None, HANDLE),
    "heddle_device_describe": (CInfo, HANDLE),
    "heddle_device_free": (None, HANDLE, c_void_p),
    "heddle_device_plan_destroy": (None, HANDLE),
}


@dataclass
class Tensor:
    """Row-major elements at an address; `owner` keeps them alive."""

    address: int
    dtype: int
    shape: tuple[int, ...]
    owner: Any = None

    def c(self) -> CTensor:
        extents = (c_int64 * len(self.shape))(*self.shape)
        return CTensor(self.address, self.dtype, len(self.shape), extents, None)


@dataclass
class SetMap:
    """Sets as a boolean map (axes…, size) in this machine's memory."""

    map: Tensor


@dataclass
class Problem:
    batch: int
    heads: int
    key_heads: int
    queries: int
    keys: int
    origin: int = 0
    values: dict[str, Union[int, Tensor, SetMap]] = field(default_factory=dict)


class Library:
    """The shared library of the runtime."""

    def __init__(self, path: Path):
        self._dll = ctypes.CDLL(str(path))
        for name, arguments in FAILS.items():
            function = getattr(self._dll, name)
            function.restype, function.argtypes = c_void_p, arguments
        for name, (result, *arguments) in PLAIN.items():
            function = getattr(self._dll, name)
            function.restype, function.argtypes = result, arguments
        self.version = self._dll.heddle_version().decode()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dll, "heddle_" + name)

    def call(self, name: str, *arguments: Any) -> None:
        """Raises what the runtime reports."""
        error = getattr(self, name)(*arguments)
        if error:
            message = self.error_message(error).decode()
            self.error_free(error)
            raise HeddleError(message)

    def make(self, name: str, *arguments: Any) -> Any:
        """The handle that a function gives through its last argument."""
        out = c_void_p()
        self.call(name, *arguments, byref(out))
        return out


class Pool:
    """Threads of this machine."""

    def __init__(self, library: Library, threads: int = 0):
        self.library = library
        self.handle = library.make("pool_create", threads)

    def close(self) -> None:
        self.library.pool_destroy(self.handle)


class Bundle:
    """A bundle, and the kernel in it of a name, or the first."""

    def __init__(self, library: Library, path: Path, name: str = ""):
        self.library = library
        self.handle = library.make("bundle_open", str(path).encode())
        self.kernel = (library.make("bundle_find", self.handle, name.encode()) if name
                       else c_void_p(library.bundle_kernel(self.handle, 0)))
        self.entry: CEntry = library.kernel_entry(self.kernel).contents

    def close(self) -> None:
        self.library.bundle_close(self.handle)


class Plan:
    """A problem, for code of this machine or of a device."""

    def __init__(self, bundle: Bundle, problem: Problem, device: Device | None = None):
        library, kernel = bundle.library, bundle.kernel
        self.library = library
        code = (library.make("device_code_of", device.handle, kernel, None) if device
                else library.make("kernel_code", kernel))
        self._kept: list[Any] = []
        self._multiprocessors = device.info.multiprocessors if device else 0
        self.handle = library.make("plan_create_with", kernel, code,
                                   byref(self._problem(bundle.entry, problem)))
        self.level = library.plan_code(self.handle).contents.level.decode()
        # Into how many parts keys are split by code for short queries; 0 for other code.
        self.parts = int(library.plan_parts(self.handle))

    def _tensor(self, tensor: Tensor) -> Any:
        made = tensor.c()
        self._kept += [made, tensor]
        return ctypes.pointer(made)

    def _value(self, param: CParam, given: dict[str, Any]) -> CValue:
        name = param.name.decode()
        if name not in given and param.has_default and param.kind == INTEGER:
            return CValue(integer=param.default_value)
        if name not in given:
            raise HeddleError(f"parameter '{name}' has no value")
        value, kind = given[name], param.kind
        if kind == INTEGER and isinstance(value, int):
            return CValue(integer=value)
        if kind in (INTEGER_TABLE, REAL_TABLE) and isinstance(value, Tensor):
            return CValue(table=self._tensor(value))
        if kind == SET and isinstance(value, SetMap):
            sets = CSets(format=MAP, size=value.map.shape[-1], map=self._tensor(value.map))
            self._kept.append(sets)
            return CValue(sets=ctypes.pointer(sets))
        raise HeddleError(f"parameter '{name}' is of another kind than its value")

    def _problem(self, entry: CEntry, of: Problem) -> CProblem:
        params = [entry.params[i] for i in range(entry.num_params)]
        unknown = set(of.values) - {param.name.decode() for param in params}
        if unknown:
            raise HeddleError(f"the kernel has no parameter '{min(unknown)}'")
        values = (CValue * max(1, len(params)))(*(self._value(param, of.values) for param in params))
        origin = (c_int64 * max(1, of.batch))(*([of.origin] * of.batch))
        self._kept += [values, origin]
        return CProblem(batch=of.batch, heads_q=of.heads, heads_kv=of.key_heads, seq_q=of.queries,
                        seq_k=of.keys, origin=origin, params=values,
                        multiprocessors=self._multiprocessors)

    def kept_pairs(self, pool: Pool) -> int:
        """Exactly counted, over all heads."""
        stats = CStats()
        self.library.call("plan_stats", self.handle, pool.handle, byref(stats))
        return int(stats.kept_pairs)

    def close(self) -> None:
        self.library.plan_destroy(self.handle)


class Tensors:
    """What a launch reads and writes; made once, used for many launches."""

    def __init__(self, q: Tensor, k: Tensor, v: Tensor, o: Tensor, lse: Tensor | None = None):
        self._kept = [(tensor, tensor.c()) for tensor in (q, k, v, o, lse) if tensor]
        pointers = [ctypes.pointer(made) for _, made in self._kept]
        self.c = CTensors(*pointers, *([] if lse else [None]), 0.0)
        self.reference = byref(self.c)


def launch(plan: Plan, tensors: Tensors, pool: Pool) -> None:
    """On threads of this machine."""
    plan.library.call("launch", plan.handle, tensors.reference, pool.handle)


class Device:
    """A device; `driver` is the address of a heddle_driver, None for the
    machine's own."""

    def __init__(self, library: Library, ordinal: int = 0, driver: int | None = None):
        self.library = library
        self.handle = library.make("device_open", driver, ordinal)
        self.info: CInfo = library.device_describe(self.handle)

    @property
    def arch(self) -> str:
        return f"sm_{self.info.arch}"

    def describe(self) -> dict[str, Any]:
        found, version = self.info, self.info.driver_version
        return {"name": found.name.decode(), "arch": self.arch, "multiprocessors": found.multiprocessors,
                "shared_bytes": found.shared_bytes, "driver": found.driver.decode(),
                "driver_version": f"{version // 1000}.{version % 1000 // 10}"}

    def allocate(self, size: int) -> int:
        return int(self.library.make("device_allocate", self.handle, size).value or 0)

    def free(self, address: int) -> None:
        self.library.device_free(self.handle, address)

    def upload(self, to: int, content: bytes) -> None:
        self.library.call("device_upload", self.handle, to, content, len(content), None)

    def download(self, address: int, size: int) -> bytes:
        content = ctypes.create_string_buffer(size)
        self.library.call("device_download", self.handle, content, address, size, None)
        return content.raw

    def synchronize(self, stream: int | None = None) -> None:
        self.library.call("device_synchronize", self.handle, stream)

    def close(self) -> None:
        self.library.device_close(self.handle)


class DevicePlan:
    """A plan's code and operands in the device's memory."""

    def __init__(self, device: Device, plan: Plan):
        self.library, self.plan = device.library, plan
        self.handle = device.library.make("device_plan_create", device.handle, plan.handle)

    def launch(self, tensors: Tensors, stream: int | None = None) -> None:
        """Returns without waiting."""
        self.library.call("device_plan_launch", self.handle, tensors.reference, stream)

    def close(self) -> None:
        self.library.device_plan_destroy(self.handle)
