//! A call's arguments in JSON, and values whose type nobody knows.

use proc_host_wire::control::FunctionInfo;
use proc_host_wire::interface::Type;
use serde_json::Value;

use super::error::TextError;
use super::json_read::{Fault, put};
use super::outline::{Document, argument, wrong_count};
use crate::arguments::Arguments;
use crate::codec;

/// Arguments for `function` from an array (by position) or an object (by parameter name).
pub fn arguments_from_json(text: &str, function: &FunctionInfo) -> Result<Arguments, TextError> {
    let interface = &function.interface;
    let Some(called) = interface.functions.get(function.function as usize) else {
        return Err(TextError::new("the host described another function"));
    };
    let signature = || interface.signature(called).to_string();
    let mut document = Document::default();
    let place = |number: usize, name: &str, fault: Fault| {
        let message = format!(
            "{}: {}",
            argument(number, name, &fault.path()),
            fault.message
        );
        TextError::new(message).hint(signature())
    };
    match parse(text)? {
        Value::Array(values) => {
            if values.len() != called.params.len() {
                return Err(TextError::new(wrong_count(called, values.len())).hint(signature()));
            }
            document.writer().array(values.len());
            for (number, (value, (name, id))) in (1..).zip(values.iter().zip(&called.params)) {
                put(interface, *id, value, &mut document)
                    .map_err(|fault| place(number, name, fault))?;
            }
        }
        Value::Object(values) => {
            let params = &called.params;
            if let Some(name) = values
                .keys()
                .find(|key| !params.iter().any(|(p, _)| p == *key))
            {
                let message = format!("no parameter is called `{name}`");
                return Err(TextError::new(message).hint(signature()));
            }
            // Options may be left out; the host fills them in.
            document.writer().map(values.len());
            for (number, (name, id)) in (1..).zip(params) {
                match values.get(name) {
                    Some(value) => {
                        document.writer().text(name);
                        put(interface, *id, value, &mut document)
                            .map_err(|fault| place(number, name, fault))?;
                    }
                    None if matches!(interface.ty(*id), Type::Option(_)) => {}
                    None => {
                        let message = format!("{} is missing", argument(number, name, ""));
                        return Err(TextError::new(message).hint(signature()));
                    }
                }
            }
        }
        _ => {
            return Err(TextError::new("arguments are a JSON array or object").hint(signature()));
        }
    }
    Ok(document.into_arguments())
}

/// One document from JSON whose type nobody knows, such as the answer to a callback.
pub fn value_from_json(text: &str) -> Result<Vec<u8>, TextError> {
    codec::encode(&parse(text)?).map_err(|error| TextError::new(error.to_string()))
}

fn parse(text: &str) -> Result<Value, TextError> {
    serde_json::from_str(text).map_err(|error| {
        let line_start: usize = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        // Columns count bytes, from 1; one past the end where the text ends early.
        let at = (line_start + error.column().saturating_sub(1)).min(text.len());
        let words = error.to_string();
        let words = words.split(" at line ").next().unwrap_or_default();
        TextError::new(format!("malformed JSON: {words}")).at(text, at..at + 1)
    })
}
