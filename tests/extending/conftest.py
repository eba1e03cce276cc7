"""The small plugins beside this file are imported by name, as a distribution of their own would."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
