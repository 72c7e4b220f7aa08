//! Launcher and jail of proc-host processes.
