//! Frames, messages and types of every proc-host socket.
