//! The only place that writes to the terminal.
//!
//! Every line on standard output is flushed at once: what reads it may act on it. A reader that has
//! gone (`| head`) is an answer, not an error. Colours only where a person looks.

use std::io::{self, Write as _};

use serde_json::Value;
use tokio::io::Interest;
use tokio::net::unix::pipe;

use crate::failure::Failed;

/// The reader of standard output has gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReaderGone;

/// Writes one line to standard output.
pub(crate) fn line(text: &str) -> Result<(), ReaderGone> {
    let mut out = io::stdout().lock();
    match out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
    {
        Ok(()) => out.flush().map_err(|_| ReaderGone),
        // Nothing else can be done with an output that does not take anything.
        Err(_) => Err(ReaderGone),
    }
}

/// Resolves once the reader of standard output has gone, where that can be seen.
pub(crate) async fn reader_gone() {
    let watch = rustix::io::dup(io::stdout())
        .map_err(io::Error::from)
        .and_then(pipe::Sender::from_owned_fd_unchecked);
    match watch {
        Ok(watch) if watch.ready(Interest::ERROR).await.is_ok() => {}
        // A file has no reader that could go.
        _ => std::future::pending().await,
    }
}

/// Writes a value as one line of JSON.
pub(crate) fn json(value: &Value) -> Result<(), ReaderGone> {
    line(&value.to_string())
}

/// Writes rows under a head, columns aligned.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> Result<(), ReaderGone> {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(&format!("{cell:width$}  "));
        }
        line(text.trim_end())
    };
    print(&mut head.iter().copied())?;
    rows.iter()
        .try_for_each(|row| print(&mut row.iter().map(String::as_str)))
}

/// Text of a guest's, with the characters that would command the terminal written out.
pub(crate) fn tame(text: &str) -> String {
    let mut tame = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => tame.push(c),
            c if c.is_control() => tame.extend(c.escape_default()),
            c => tame.push(c),
        }
    }
    tame
}

/// Writes a note to standard error.
pub(crate) fn note(text: &str) {
    // Where nobody listens, nobody is told.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A warning: something is not as asked, and the program goes on.
pub(crate) fn warn(text: &str) {
    marked("warning:", "33", text);
}

/// The one message of a command that failed.
pub(crate) fn failed(failed: &Failed, as_json: bool) {
    if as_json {
        return note(&failed.to_json().to_string());
    }
    marked("error:", "31", &failed.message);
    if let Some(hint) = &failed.hint {
        marked("  hint:", "36", hint);
    }
}

fn marked(word: &str, colour: &str, text: &str) {
    let text = tame(text);
    if colours(&io::stderr()) {
        note(&format!("\x1b[1;{colour}m{word}\x1b[0m {text}"));
    } else {
        note(&format!("{word} {text}"));
    }
}

/// Whether a stream is looked at by somebody who has not asked for plain text.
fn colours(stream: &impl io::IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The text dimmed, where standard output shows colours.
pub(crate) fn dim(text: &str) -> String {
    if colours(&io::stdout()) {
        format!("\x1b[2m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(
            tame("a\u{1b}[31m\u{9b}b\r\0\tß\n"),
            "a\\u{1b}[31m\\u{9b}b\\r\\u{0}\tß\n"
        );
    }
}
