//! An error in a text, with the place it is at.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

/// A text that is not what it should be. It prints as the message, the line with carets below the
/// place, and what would have been right, where that is known.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct TextError {
    message: String,
    place: Option<(String, Range<usize>)>,
    hint: Option<String>,
}

impl TextError {
    pub(super) fn new(message: impl Into<String>) -> TextError {
        TextError {
            message: message.into(),
            place: None,
            hint: None,
        }
    }

    /// The same, at bytes `span` of `text`.
    pub(super) fn at(self, text: &str, span: Range<usize>) -> TextError {
        TextError {
            place: Some((text.to_owned(), span)),
            ..self
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> TextError {
        TextError {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// What is wrong, on one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The bytes at fault.
    pub fn span(&self) -> Option<Range<usize>> {
        self.place.as_ref().map(|(_, span)| span.clone())
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some((text, span)) = &self.place {
            let start = text.floor_char_boundary(span.start);
            let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
            let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
            let end = text.ceil_char_boundary(span.end).clamp(start, line_end);
            let before = text[line_start..start].chars().count();
            let width = text[start..end].chars().count().max(1);
            write!(
                f,
                "\n  {}\n  {}{}",
                &text[line_start..line_end],
                " ".repeat(before),
                "^".repeat(width)
            )?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}
