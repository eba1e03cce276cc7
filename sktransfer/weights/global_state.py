"""Who may change what all threads of a process share."""

from __future__ import annotations

import threading

__all__ = ["GLOBAL_STATE"]

# Held by whoever seeds torch's global generator or changes settings of a library, until it is
# restored. Dropout and initialisation draw from that generator, so trainings in threads take turns.
GLOBAL_STATE = threading.RLock()
