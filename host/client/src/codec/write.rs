//! A serde serializer onto the wire's CBOR writer: definite lengths, shortest integers.
//!
//! Owns: how serde's data model becomes the value mapping: an enum's unit variant is text, any
//! other a map of one entry. Tags come as `ciborium` spells them, so its values pass as well.

use proc_host_wire::cbor::Writer;
use serde::ser::{self, Serialize};

use super::CodecError;

const TAG: &str = "@@TAG@@";

/// Writes the head of an array or a map.
type Head = fn(&mut Writer<'_>, usize);

const ARRAY: Head = |writer, length| writer.array(length);
const MAP: Head = |writer, length| writer.map(length);

/// Appends one document.
pub(super) struct Serializer<'a> {
    pub(super) out: &'a mut Vec<u8>,
}

/// An array, map or tag whose parts are being written.
pub(super) struct Parts<'a> {
    out: &'a mut Vec<u8>,
    /// Where the head belongs, and which, once the number of parts is known.
    late: Option<(usize, Head)>,
    count: usize,
    /// The first part is a tag's number.
    tag: bool,
}

impl<'a> Serializer<'a> {
    fn writer(&mut self) -> Writer<'_> {
        Writer::new(self.out)
    }

    fn parts(self, length: Option<usize>, head: Head) -> Result<Parts<'a>, CodecError> {
        let late = match length {
            Some(length) => {
                head(&mut Writer::new(self.out), length);
                None
            }
            None => Some((self.out.len(), head)),
        };
        Ok(Parts {
            out: self.out,
            late,
            count: 0,
            tag: false,
        })
    }

    fn case(&mut self, name: &str) {
        let mut writer = self.writer();
        writer.map(1);
        writer.text(name);
    }
}

impl Parts<'_> {
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        self.count += 1;
        if self.tag && self.count == 1 {
            let start = self.out.len();
            value.serialize(Serializer { out: self.out })?;
            // An integer's head is a tag's but for the three bits of the major type.
            return match self.out.get_mut(start) {
                Some(head) if *head >> 5 == 0 => {
                    *head |= 6 << 5;
                    Ok(())
                }
                _ => Err(CodecError("a tag that is not a number".to_owned())),
            };
        }
        value.serialize(Serializer { out: self.out })
    }

    fn named<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), CodecError> {
        Writer::new(self.out).text(key);
        self.count += 1;
        value.serialize(Serializer { out: self.out })
    }

    fn close(self) -> Result<(), CodecError> {
        if let Some((at, head)) = self.late {
            let mut bytes = Vec::with_capacity(9);
            head(&mut Writer::new(&mut bytes), self.count);
            self.out.splice(at..at, bytes);
        }
        Ok(())
    }
}

macro_rules! write_as {
    ($($method:ident($ty:ty) => $write:ident),* $(,)?) => {
        $(fn $method(mut self, value: $ty) -> Result<(), CodecError> {
            self.writer().$write(value.into());
            Ok(())
        })*
    };
}

impl<'a> ser::Serializer for Serializer<'a> {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    write_as! {
        serialize_bool(bool) => bool,
        serialize_i8(i8) => int,
        serialize_i16(i16) => int,
        serialize_i32(i32) => int,
        serialize_i64(i64) => int,
        serialize_u8(u8) => uint,
        serialize_u16(u16) => uint,
        serialize_u32(u32) => uint,
        serialize_u64(u64) => uint,
        serialize_f32(f32) => f32,
        serialize_f64(f64) => f64,
        serialize_str(&str) => text,
        serialize_bytes(&[u8]) => bytes,
    }

    fn serialize_i128(self, value: i128) -> Result<(), CodecError> {
        match (u64::try_from(value), i64::try_from(value)) {
            (Ok(value), _) => self.serialize_u64(value),
            (_, Ok(value)) => self.serialize_i64(value),
            _ => Err(CodecError(format!("{value} is beyond 64 bits"))),
        }
    }

    fn serialize_u128(self, value: u128) -> Result<(), CodecError> {
        match u64::try_from(value) {
            Ok(value) => self.serialize_u64(value),
            Err(_) => Err(CodecError(format!("{value} is beyond 64 bits"))),
        }
    }

    fn serialize_char(self, value: char) -> Result<(), CodecError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_none(self) -> Result<(), CodecError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CodecError> {
        value.serialize(self)
    }

    fn serialize_unit(mut self) -> Result<(), CodecError> {
        self.writer().null();
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CodecError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), CodecError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        if name != TAG {
            self.case(variant);
        }
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Parts<'a>, CodecError> {
        self.parts(length, ARRAY)
    }

    fn serialize_tuple(self, length: usize) -> Result<Parts<'a>, CodecError> {
        self.parts(Some(length), ARRAY)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Parts<'a>, CodecError> {
        self.parts(Some(length), ARRAY)
    }

    fn serialize_tuple_variant(
        mut self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Parts<'a>, CodecError> {
        if name == TAG {
            return Ok(Parts {
                out: self.out,
                late: None,
                count: 0,
                tag: true,
            });
        }
        self.case(variant);
        self.parts(Some(length), ARRAY)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Parts<'a>, CodecError> {
        self.parts(length, MAP)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Parts<'a>, CodecError> {
        self.parts(Some(length), MAP)
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Parts<'a>, CodecError> {
        self.case(variant);
        self.parts(Some(length), MAP)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! parts {
    ($($trait:ident . $method:ident),* $(,)?) => {
        $(impl ser::$trait for Parts<'_> {
            type Ok = ();
            type Error = CodecError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
                self.part(value)
            }

            fn end(self) -> Result<(), CodecError> {
                self.close()
            }
        })*
    };
}

parts! {
    SerializeSeq.serialize_element,
    SerializeTuple.serialize_element,
    SerializeTupleStruct.serialize_field,
    SerializeTupleVariant.serialize_field,
}

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CodecError> {
        self.part(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        value.serialize(Serializer { out: self.out })
    }

    fn end(self) -> Result<(), CodecError> {
        self.close()
    }
}

macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl ser::$trait for Parts<'_> {
            type Ok = ();
            type Error = CodecError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), CodecError> {
                self.named(key, value)
            }

            fn end(self) -> Result<(), CodecError> {
                self.close()
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);
