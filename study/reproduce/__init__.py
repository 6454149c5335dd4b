"""An exported promise run again, and judged."""
