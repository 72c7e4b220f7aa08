//! Output on stdout and stderr, and logs.

#[proc_guest::module]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]
mod printer {
    //! Output and logs.

    use std::io::Write;
    use std::time::Duration;

    use proc_guest::{log, time};

    /// How much an entry matters.
    #[derive(Debug, Clone, Copy)]
    pub enum Level {
        Trace,
        Debug,
        Info,
        Warn,
        Error,
    }

    /// A line to stdout.
    pub fn line(text: &str) {
        println!("{text}");
    }

    /// A line to stderr.
    pub fn error_line(text: &str) {
        eprintln!("{text}");
    }

    /// Text to stdout, flushed, with no line end of its own.
    pub fn partial(text: &str) {
        print!("{text}");
        // A closed stdout is not this guest's concern.
        let _ = std::io::stdout().flush();
    }

    /// Bytes to stdout, text or not.
    pub fn raw(bytes: &[u8]) {
        let mut out = std::io::stdout();
        // A closed stdout is not this guest's concern.
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// Lines to stdout, `lines` of them, each of `width` bytes.
    pub fn flood(lines: u32, width: u32) {
        let text = "x".repeat(width as usize);
        for _ in 0..lines {
            println!("{text}");
        }
    }

    /// One line of `width` bytes.
    pub fn long_line(width: u32) {
        println!("{}", "x".repeat(width as usize));
    }

    /// Lines to stdout with a sleep between them.
    pub async fn slow_lines(lines: u32, ms: u64) {
        for line in 0..lines {
            println!("line {line}");
            time::sleep(Duration::from_millis(ms)).await;
        }
    }

    /// Half a line before a sleep and half after it: whose is it, if two do so at once?
    pub async fn halves(name: &str, ms: u64) {
        print!("{name} begins, ");
        // A closed stdout is not this guest's concern.
        let _ = std::io::stdout().flush();
        time::sleep(Duration::from_millis(ms)).await;
        println!("{name} ends");
    }

    /// A line to stdout without an end, one to stderr, and a trap.
    pub fn last_words(text: &str) {
        partial(text);
        panic!("{text}");
    }

    /// An entry in the log.
    pub fn log(level: Level, text: &str) {
        match level {
            Level::Trace => log::trace!("{text}"),
            Level::Debug => log::debug!("{text}"),
            Level::Info => log::info!("{text}"),
            Level::Warn => log::warn!("{text}"),
            Level::Error => log::error!("{text}"),
        }
    }

    /// Entries in the log, `entries` of them, each of `width` bytes.
    pub fn log_flood(entries: u32, width: u32) {
        let text = "x".repeat(width as usize);
        for _ in 0..entries {
            log::info!("{text}");
        }
    }

    /// One line to each place, in this order: stdout, stderr, the log.
    pub fn everywhere(text: &str) {
        println!("{text} on stdout");
        eprintln!("{text} on stderr");
        log::info!("{text} in the log");
    }
}
