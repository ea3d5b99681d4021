# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The report as JSON: everything, with all samples, one to a line."""

from __future__ import annotations

import json
import re
from typing import Any

DIGITS = 7


def rounded(value: Any) -> Any:
    """Numbers to as many digits as mean something."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value


def render(report: dict[str, Any]) -> str:
    text = json.dumps(rounded(report), indent=1)
    # Objects that hold no others.
    return re.sub(r"\{[^{}\[\]]*\}", lambda found: " ".join(found.group().split()), text) + "\n"
