"""The lock of settings that all threads of a process share."""

from __future__ import annotations

import threading

__all__ = ["GLOBAL_STATE"]

# Code that seeds torch's global generator, or changes settings of a library, holds this lock until
# they are restored. Dropout and initialisation draw from that generator, so that trainings in
# threads take turns.
GLOBAL_STATE = threading.RLock()
