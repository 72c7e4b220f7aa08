//! A value as a person reads it where its type is not at hand.

use proc_host_wire::cbor::{CborError, Kind, Limits, Reader};

/// How much of a value is shown.
const MOST: usize = 400;

/// Like JSON, cut where it gets long.
pub(crate) fn show(body: &[u8]) -> String {
    let mut out = String::new();
    let shown = value(&mut Reader::new(body, Limits::DEFAULT), &mut out, 16);
    if shown.is_err() && out.len() <= MOST {
        return format!("<{} bytes>", body.len());
    }
    if out.len() > MOST {
        out.truncate(out.floor_char_boundary(MOST));
        out.push('…');
    }
    out
}

fn value(reader: &mut Reader<'_>, out: &mut String, depth: u8) -> Result<(), CborError> {
    if out.len() > MOST || depth == 0 {
        out.push('…');
        return reader.skip();
    }
    match reader.peek()? {
        Kind::Uint | Kind::Nint => out.push_str(&reader.int()?.to_string()),
        Kind::Float => out.push_str(&reader.float()?.to_string()),
        Kind::Bool => out.push_str(if reader.bool()? { "true" } else { "false" }),
        Kind::Null | Kind::Simple => {
            reader.null()?;
            out.push_str("null");
        }
        Kind::Text => {
            let text = reader.text()?;
            let cut = text.floor_char_boundary(MOST);
            out.push_str(&format!("{:?}", &text[..cut]));
        }
        Kind::Bytes => out.push_str(&format!("<{} bytes>", reader.bytes()?.len())),
        Kind::Tag => {
            out.push_str(&format!("#{} ", reader.tag()?));
            value(reader, out, depth - 1)?;
        }
        Kind::Array => {
            out.push('[');
            for at in 0..reader.array()? {
                out.push_str(if at > 0 { ", " } else { "" });
                value(reader, out, depth - 1)?;
            }
            out.push(']');
        }
        Kind::Map => {
            out.push('{');
            for at in 0..reader.map()? {
                out.push_str(if at > 0 { ", " } else { "" });
                value(reader, out, depth - 1)?;
                out.push_str(": ");
                value(reader, out, depth - 1)?;
            }
            out.push('}');
        }
    }
    Ok(())
}
