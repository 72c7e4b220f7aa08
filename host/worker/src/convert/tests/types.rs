//! Random types, and random values of a type as canonical CBOR.

use proc_host_wire::cbor::Writer;
use proptest::prelude::*;

/// A type, as a test knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ty {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List(Box<Ty>),
    Map(Box<Ty>, Box<Ty>),
    Tuple(Vec<Ty>),
    Record(Vec<Ty>),
    Variant(Vec<Option<Ty>>),
    Enum(usize),
    Flags(usize),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
}

pub(super) fn any_type() -> impl Strategy<Value = Ty> {
    let leaf = prop_oneof![
        Just(Ty::Bool),
        Just(Ty::S8),
        Just(Ty::U8),
        Just(Ty::S16),
        Just(Ty::U16),
        Just(Ty::S32),
        Just(Ty::U32),
        Just(Ty::S64),
        Just(Ty::U64),
        Just(Ty::F32),
        Just(Ty::F64),
        Just(Ty::Char),
        Just(Ty::String),
        Just(Ty::List(Box::new(Ty::U8))),
        prop_oneof![1..5usize, 255..260usize].prop_map(Ty::Enum),
        (1..=32usize).prop_map(Ty::Flags),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let key = prop_oneof![
            Just(Ty::String),
            Just(Ty::U8),
            Just(Ty::S64),
            Just(Ty::Char)
        ];
        prop_oneof![
            boxed.clone().prop_map(Ty::List),
            (key.prop_map(Box::new), boxed.clone()).prop_map(|(k, v)| Ty::Map(k, v)),
            prop::collection::vec(inner.clone(), 1..5).prop_map(Ty::Tuple),
            prop::collection::vec(inner.clone(), 1..6).prop_map(Ty::Record),
            prop::collection::vec(prop::option::of(inner.clone()), 1..5).prop_map(Ty::Variant),
            boxed.clone().prop_map(Ty::Option),
            (prop::option::of(boxed.clone()), prop::option::of(boxed))
                .prop_map(|(ok, err)| Ty::Result(ok, err)),
        ]
    })
}

/// A small generator of its own, so that a value depends on a type and a seed alone.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// The name of a field, case or flag.
pub(super) fn name(index: usize) -> String {
    format!("n{index}")
}

impl Ty {
    /// Appends a value, spelled as a guest's would be.
    pub(super) fn value(&self, random: &mut Random, out: &mut Vec<u8>) {
        let bits = if random.below(3) == 0 {
            random.next() >> 56
        } else {
            random.next()
        };
        let low = u32::try_from(bits & 0xffff_ffff).unwrap();
        let mut w = Writer::new(out);
        match self {
            Ty::Bool => w.bool(bits & 1 == 1),
            Ty::S8 => w.int(i64::from(bits.to_le_bytes()[0].cast_signed())),
            Ty::U8 => w.uint(bits & 0xff),
            Ty::S16 => w.int(i64::from(
                u16::try_from(bits & 0xffff).unwrap().cast_signed(),
            )),
            Ty::U16 => w.uint(bits & 0xffff),
            Ty::S32 => w.int(low.cast_signed().into()),
            Ty::U32 => w.uint(low.into()),
            Ty::S64 => w.int(bits.cast_signed()),
            Ty::U64 => w.uint(bits),
            Ty::F32 => w.f32(match f32::from_bits(low) {
                nan if nan.is_nan() => f32::from_bits(0x7fc0_0000),
                value => value,
            }),
            Ty::F64 => w.f64(match f64::from_bits(bits) {
                nan if nan.is_nan() => f64::from_bits(0x7ff8_0000_0000_0000),
                value => value,
            }),
            Ty::Char => w.text(&text(random, 1)),
            Ty::String => {
                let length = random.below(20);
                w.text(&text(random, length));
            }
            Ty::List(element) if **element == Ty::U8 => {
                let bytes: Vec<u8> = (0..random.below(40))
                    .map(|_| random.next().to_le_bytes()[0])
                    .collect();
                w.bytes(&bytes);
            }
            Ty::List(element) => {
                let length = random.below(6);
                w.array(length);
                (0..length).for_each(|_| element.value(random, out));
            }
            Ty::Map(key, value) => {
                let mut keys: Vec<Vec<u8>> = Vec::new();
                for _ in 0..random.below(5) {
                    let mut encoded = Vec::new();
                    key.value(random, &mut encoded);
                    if !keys.contains(&encoded) {
                        keys.push(encoded);
                    }
                }
                w.map(keys.len());
                for key in keys {
                    out.extend(key);
                    value.value(random, out);
                }
            }
            Ty::Tuple(parts) => {
                w.array(parts.len());
                parts.iter().for_each(|part| part.value(random, out));
            }
            Ty::Record(fields) => {
                w.map(fields.len());
                for (index, field) in fields.iter().enumerate() {
                    Writer::new(out).text(&name(index));
                    field.value(random, out);
                }
            }
            Ty::Variant(cases) => {
                let case = random.below(cases.len());
                match &cases[case] {
                    None => w.text(&name(case)),
                    Some(payload) => {
                        w.map(1);
                        w.text(&name(case));
                        payload.value(random, out);
                    }
                }
            }
            Ty::Enum(cases) => w.text(&name(random.below(*cases))),
            Ty::Flags(count) => {
                let set: Vec<usize> = (0..*count).filter(|_| random.below(2) == 0).collect();
                w.array(set.len());
                set.iter().for_each(|flag| w.text(&name(*flag)));
            }
            Ty::Option(some) => {
                let (nested, none) = (matches!(**some, Ty::Option(_)), random.below(2) == 0);
                match (nested, none) {
                    (true, _) => w.array(usize::from(!none)),
                    (false, true) => w.null(),
                    (false, false) => {}
                }
                if !none {
                    some.value(random, out);
                }
            }
            Ty::Result(ok, err) => {
                let (name, payload) = if random.below(2) == 0 {
                    ("ok", ok)
                } else {
                    ("err", err)
                };
                w.map(1);
                w.text(name);
                match payload {
                    Some(payload) => payload.value(random, out),
                    None => w.null(),
                }
            }
        }
    }
}

/// `length` characters of one to four bytes.
fn text(random: &mut Random, length: usize) -> String {
    let kinds = ['a', '~', 'é', 'ÿ', '€', '日', '🦀', '\0'];
    let narrow = random.below(2) == 0;
    (0..length)
        .map(|_| kinds[random.below(if narrow { 4 } else { kinds.len() })])
        .collect()
}
