//! The encoder: shortest integers and lengths, definite lengths, floats at their own width.
//!
//! Owns: how a value is spelled. May not know: whether what is written adds up to a document; the
//! caller writes as many elements as it announced.

/// Appends CBOR to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Writer<'a> {
        Writer { out }
    }

    /// How many bytes the buffer holds.
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// A non-negative integer.
    #[inline]
    pub fn uint(&mut self, value: u64) {
        self.head(0, value);
    }

    /// An integer of either sign.
    #[inline]
    pub fn int(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            // The argument of a negative integer n is -1 - n, which is its complement.
            Err(_) => self.head(1, (!value).cast_unsigned()),
        }
    }

    /// A 32-bit float.
    #[inline]
    pub fn f32(&mut self, value: f32) {
        self.out.push(0xfa);
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// A 64-bit float.
    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.out.push(0xfb);
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// `true` or `false`.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.out.push(if value { 0xf5 } else { 0xf4 });
    }

    /// `null`.
    #[inline]
    pub fn null(&mut self) {
        self.out.push(0xf6);
    }

    /// A text string.
    #[inline]
    pub fn text(&mut self, value: &str) {
        self.head(3, value.len() as u64);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// A byte string.
    #[inline]
    pub fn bytes(&mut self, value: &[u8]) {
        self.head(2, value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// The head of an array; `length` values follow.
    #[inline]
    pub fn array(&mut self, length: usize) {
        self.head(4, length as u64);
    }

    /// The head of a map; `length` keys and values follow.
    #[inline]
    pub fn map(&mut self, length: usize) {
        self.head(5, length as u64);
    }

    /// A tag; one value follows.
    #[inline]
    pub fn tag(&mut self, tag: u64) {
        self.head(6, tag);
    }

    /// Values that are CBOR already.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.out.extend_from_slice(encoded);
    }

    #[inline]
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let [a, b, c, d, e, f, g, h] = argument.to_be_bytes();
        match argument {
            0..24 => self.out.push(major | h),
            24..0x100 => self.out.extend_from_slice(&[major | 24, h]),
            0x100..0x1_0000 => self.out.extend_from_slice(&[major | 25, g, h]),
            0x1_0000..0x1_0000_0000 => self.out.extend_from_slice(&[major | 26, e, f, g, h]),
            _ => self
                .out
                .extend_from_slice(&[major | 27, a, b, c, d, e, f, g, h]),
        }
    }
}
