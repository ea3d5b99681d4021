# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Clocks of the device, as its management library tells them."""

from __future__ import annotations

import ctypes
import os
from typing import Any

SM = 1  # NVML_CLOCK_SM


class Clocks:
    """Reads nothing where there is no such library, or it does not know the
    device."""

    def __init__(self, ordinal: int, name: str):
        self._device = ctypes.c_void_p()
        self.missing = ""
        try:
            self._nvml = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError as why:
            self.missing = str(why)
            return
        if self._nvml.nvmlInit_v2() != 0:
            self.missing = "nvmlInit_v2 failed"
        elif not self._find(ordinal) or self._name() != name:
            # The order of devices may be another one there.
            self.missing = f"NVML knows no '{name}' in that place"

    def _find(self, ordinal: int) -> bool:
        chosen = [item.strip() for item in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
                  if item.strip()]
        item = chosen[ordinal] if ordinal < len(chosen) else str(ordinal)
        if item.isdigit():
            status = self._nvml.nvmlDeviceGetHandleByIndex_v2(int(item), ctypes.byref(self._device))
        else:
            status = self._nvml.nvmlDeviceGetHandleByUUID(item.encode(), ctypes.byref(self._device))
        return bool(status == 0)

    def _name(self) -> str:
        text = ctypes.create_string_buffer(128)
        status = self._nvml.nvmlDeviceGetName(self._device, text, len(text))
        return text.value.decode() if status == 0 else ""

    def _ask(self, function: str, *arguments: Any) -> int | None:
        value = ctypes.c_uint()
        if self.missing or getattr(self._nvml, function)(self._device, *arguments,
                                                         ctypes.byref(value)) != 0:
            return None
        return value.value

    def read(self) -> dict[str, int]:
        """The clock of the multiprocessors now."""
        now = self._ask("nvmlDeviceGetClockInfo", SM)
        return {} if now is None else {"sm_mhz": now}

    def facts(self) -> dict[str, Any]:
        """What the device may do at most."""
        if self.missing:
            return {"missing": self.missing}
        milliwatts = self._ask("nvmlDeviceGetEnforcedPowerLimit")
        found = {"most_sm_mhz": self._ask("nvmlDeviceGetMaxClockInfo", SM),
                 "power_limit_w": None if milliwatts is None else milliwatts // 1000}
        return {name: value for name, value in found.items() if value is not None}
