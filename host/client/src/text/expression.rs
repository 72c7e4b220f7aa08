//! A call as people write it: `math.add(40, 2)`.

use proc_host_wire::control::FunctionInfo;
use wasm_wave::ast::Node;
use wasm_wave::parser::ParserError;
use wasm_wave::untyped::UntypedValue;

use super::error::TextError;
use super::outline::{Document, argument, wrong_count};
use super::wave_read::Wave;
use crate::arguments::Arguments;

/// A reference and, in parentheses, arguments in WAVE.
#[derive(Debug)]
pub struct Expression<'a> {
    text: &'a str,
    target: &'a str,
    /// Where the text of the arguments begins.
    offset: usize,
    /// Their tuple; `None` for no arguments.
    arguments: Option<UntypedValue<'a>>,
}

impl<'a> Expression<'a> {
    /// Reads the form of a call; its arguments are checked once the function's types are known.
    pub fn parse(text: &'a str) -> Result<Expression<'a>, TextError> {
        let Some(offset) = text.find('(') else {
            let end = text.trim_end().len();
            return Err(
                TextError::new("expected `(` and arguments behind the function's name")
                    .at(text, end..end)
                    .hint(format!(
                        "write `{}()` for a call without arguments",
                        text.trim()
                    )),
            );
        };
        let target = text[..offset].trim();
        if target.is_empty() {
            return Err(TextError::new("expected the name of a function").at(text, 0..offset));
        }
        if let Some(blank) = target.find(char::is_whitespace) {
            let start = text.find(target).unwrap_or(0) + blank;
            return Err(
                TextError::new("a function's name has no blanks").at(text, start..start + 1)
            );
        }
        let rest = &text[offset..];
        let inside = rest[1..].trim_start();
        let arguments = match inside.strip_prefix(')') {
            Some(behind) if behind.trim().is_empty() => None,
            Some(behind) => {
                let start = text.len() - behind.trim_start().len();
                return Err(TextError::new("text behind the call").at(text, start..text.len()));
            }
            None => Some(UntypedValue::parse(rest).map_err(|e| syntax(text, offset, &e))?),
        };
        Ok(Expression {
            text,
            target,
            offset,
            arguments,
        })
    }

    /// `module.function` or `module.interface.function`, as it was written.
    pub fn target(&self) -> &'a str {
        self.target
    }

    /// The arguments for `function`, each checked against its type.
    pub fn arguments(&self, function: &FunctionInfo) -> Result<Arguments, TextError> {
        let interface = &function.interface;
        let Some(called) = interface.functions.get(function.function as usize) else {
            return Err(TextError::new("the host described another function"));
        };
        let signature = || interface.signature(called).to_string();
        let nodes: Vec<&Node> = match &self.arguments {
            Some(tuple) => match tuple.node().as_tuple() {
                Ok(nodes) => nodes.collect(),
                Err(error) => return Err(syntax(self.text, self.offset, &error)),
            },
            None => Vec::new(),
        };
        if nodes.len() != called.params.len() {
            let span = match (nodes.get(called.params.len()), nodes.last()) {
                (Some(first), Some(last)) => {
                    self.offset + first.span().start..self.offset + last.span().end
                }
                _ => {
                    let end = self.text.trim_end().len();
                    end.saturating_sub(1)..end
                }
            };
            return Err(TextError::new(wrong_count(called, nodes.len()))
                .at(self.text, span)
                .hint(signature()));
        }
        let wave = Wave {
            interface,
            text: &self.text[self.offset..],
        };
        let mut document = Document::default();
        document.writer().array(nodes.len());
        for (number, (node, (name, id))) in (1..).zip(nodes.into_iter().zip(&called.params)) {
            wave.value(*id, node, &mut document).map_err(|fault| {
                let span = self.offset + fault.span.start..self.offset + fault.span.end;
                TextError::new(format!("{}: {}", argument(number, name, ""), fault.message))
                    .at(self.text, span)
                    .hint(signature())
            })?;
        }
        Ok(document.into_arguments())
    }
}

/// An error of form, in words for people.
fn syntax(text: &str, offset: usize, error: &ParserError) -> TextError {
    use wasm_wave::parser::ParserErrorKind as Kind;
    let span = offset + error.span().start..offset + error.span().end;
    let found = text.get(span.clone()).unwrap_or_default();
    let message = match error.kind() {
        Kind::UnexpectedEnd => {
            "the text ends inside of a value: is a bracket not closed?".to_owned()
        }
        Kind::UnexpectedToken => format!("did not expect `{found}` here"),
        Kind::InvalidToken => format!("`{found}` is not part of any value"),
        Kind::TrailingCharacters => "text behind the call".to_owned(),
        Kind::EmptyTuple => "an empty tuple is no value".to_owned(),
        kind => match error.detail() {
            Some(detail) => format!("{kind}: {detail}"),
            None => kind.to_string(),
        },
    };
    TextError::new(message).at(text, span)
}
