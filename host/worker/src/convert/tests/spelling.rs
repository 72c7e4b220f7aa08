//! The same value in another spelling, as another encoder might choose it.

use proc_host_wire::cbor::{Kind, Limits, Reader, Writer};

use super::types::{Random, Ty};

/// Spells a canonical value anew: record fields in any order and without absent options, lengths
/// and integers wider than they need be, floats as integers where they are whole.
pub(super) fn respell(ty: &Ty, canonical: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    value(
        ty,
        &mut Reader::new(canonical, Limits::DEFAULT),
        random,
        &mut out,
    );
    out
}

fn value(ty: &Ty, r: &mut Reader<'_>, random: &mut Random, out: &mut Vec<u8>) {
    match ty {
        Ty::F32 | Ty::F64 => float(r.float().unwrap(), random, out),
        Ty::Char | Ty::String | Ty::Enum(_) => text(r, random, out),
        Ty::List(element) if **element == Ty::U8 => {
            let bytes = r.bytes().unwrap();
            head(2, bytes.len() as u64, random, out);
            out.extend_from_slice(bytes);
        }
        Ty::List(element) => {
            let length = r.array().unwrap();
            head(4, length as u64, random, out);
            (0..length).for_each(|_| value(element, r, random, out));
        }
        Ty::Map(k, v) => {
            let length = r.map().unwrap();
            head(5, length as u64, random, out);
            for _ in 0..length {
                value(k, r, random, out);
                value(v, r, random, out);
            }
        }
        Ty::Tuple(parts) => {
            head(4, r.array().unwrap() as u64, random, out);
            parts.iter().for_each(|part| value(part, r, random, out));
        }
        Ty::Record(fields) => {
            r.map().unwrap();
            let mut entries = Vec::new();
            for field in fields {
                let mut entry = Vec::new();
                text(r, random, &mut entry);
                let none = matches!(r.peek().unwrap(), Kind::Null)
                    || r.clone().array().is_ok_and(|length| length == 0);
                value(field, r, random, &mut entry);
                if !(none && matches!(field, Ty::Option(_)) && random.below(2) == 0) {
                    entries.insert(random.below(entries.len() + 1), entry);
                }
            }
            head(5, entries.len() as u64, random, out);
            out.extend(entries.concat());
        }
        Ty::Variant(cases) => match r.peek().unwrap() {
            Kind::Text => text(r, random, out),
            _ => {
                head(5, r.map().unwrap() as u64, random, out);
                let case: usize = r.clone().text().unwrap()[1..].parse().unwrap();
                text(r, random, out);
                value(cases[case].as_ref().unwrap(), r, random, out);
            }
        },
        Ty::Flags(_) => {
            let length = r.array().unwrap();
            head(4, length as u64, random, out);
            let mut flags = Vec::new();
            for _ in 0..length {
                let mut flag = Vec::new();
                text(r, random, &mut flag);
                flags.insert(random.below(flags.len() + 1), flag);
            }
            out.extend(flags.concat());
        }
        Ty::Option(some) => match (&**some, r.peek().unwrap()) {
            (Ty::Option(_), _) => {
                let length = r.array().unwrap();
                head(4, length as u64, random, out);
                (0..length).for_each(|_| value(some, r, random, out));
            }
            (_, Kind::Null) => {
                r.null().unwrap();
                Writer::new(out).null();
            }
            _ => value(some, r, random, out),
        },
        Ty::Result(ok, err) => {
            head(5, r.map().unwrap() as u64, random, out);
            let payload = if r.clone().text().unwrap() == "ok" {
                ok
            } else {
                err
            };
            text(r, random, out);
            match payload {
                Some(payload) => value(payload, r, random, out),
                None => {
                    r.null().unwrap();
                    Writer::new(out).null();
                }
            }
        }
        Ty::Bool => Writer::new(out).bool(r.bool().unwrap()),
        _ => match r.int().unwrap() {
            negative if negative < 0 => head(1, u64::try_from(-1 - negative).unwrap(), random, out),
            positive => head(0, u64::try_from(positive).unwrap(), random, out),
        },
    }
}

fn text(r: &mut Reader<'_>, random: &mut Random, out: &mut Vec<u8>) {
    let text = r.text_bytes().unwrap();
    head(3, text.len() as u64, random, out);
    out.extend_from_slice(text);
}

fn float(value: f64, random: &mut Random, out: &mut Vec<u8>) {
    let whole = value.fract() == 0.0 && value.abs() < 1e9 && value.to_bits() != (-0.0f64).to_bits();
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
    match random.below(2) == 0 && whole {
        true => Writer::new(out).int(value as i64),
        false => Writer::new(out).f64(value),
    }
}

/// A head of a random width that holds the argument.
fn head(major: u8, argument: u64, random: &mut Random, out: &mut Vec<u8>) {
    let bytes = argument.to_be_bytes();
    let least = match argument {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 3,
        _ => 4,
    };
    match (least..=4).nth(random.below(5 - least)).unwrap() {
        0 => out.push(major << 5 | bytes[7]),
        width => {
            out.push(major << 5 | u8::try_from(23 + width).unwrap());
            out.extend_from_slice(&bytes[8 - (1 << (width - 1))..]);
        }
    }
}
