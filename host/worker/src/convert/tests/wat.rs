//! Echo components as text.
//!
//! `flat` is lifted async: its arguments come as core values and go to `task.return` as such.
//! `heap` is lifted sync with padding that forces its arguments into memory, where they stay as the
//! result. Together they cover both ways of both directions.

use std::fmt::Write as _;

use super::types::{Ty, name};

/// A component that echoes values of `ty`, its strings encoded as `encoding` says.
pub(super) fn echo(ty: &Ty, encoding: &str) -> String {
    let mut types = String::new();
    let mut count = 0;
    let t = define(ty, &mut types, &mut count);
    let flat = flatten(ty);
    let params = |kinds: &[&str]| {
        kinds
            .iter()
            .map(|k| format!(" (param {k})"))
            .collect::<String>()
    };
    let (flat_params, flat_args) = match flat.len() {
        0..=16 => (
            params(&flat),
            (0..flat.len())
                .map(|i| format!(" (local.get {i})"))
                .collect(),
        ),
        _ => (params(&["i32"]), " (local.get 0)".to_owned()),
    };
    let (heap_result, heap_body) = match (&flat[..], first_load(ty)) {
        ([kind], load) => (*kind, format!("({load} (local.get 0))")),
        _ => ("i32", "(local.get 0)".to_owned()),
    };
    let pad = " u8".repeat(17);
    format!(
        r#"(component
{types}
(type $pad (tuple{pad}))
(core module $libc
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 16))
  (func (export "realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32) (local $end i32)
    (local.set $at (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (local.set $end (i32.add (local.get $at) (local.get $size)))
    (block $fits (loop $grow
      (br_if $fits (i32.le_u (local.get $end) (i32.mul (memory.size) (i32.const 65536))))
      (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
      (br $grow)))
    ;; Fresh memory is dirty, so that what is left unwritten shows.
    (memory.fill (local.get $at) (i32.const 0xaa) (local.get $size))
    (if (local.get $old) (then (memory.copy (local.get $at) (local.get $old)
      (select (local.get $was) (local.get $size) (i32.lt_u (local.get $was) (local.get $size))))))
    (global.set $next (local.get $end))
    (local.get $at)))
(core instance $libc (instantiate $libc))
(alias core export $libc "memory" (core memory $memory))
(alias core export $libc "realloc" (core func $realloc))
(core func $return (canon task.return (result {t}) (memory $memory) string-encoding={encoding}))
(core module $m
  (import "" "return" (func $return{flat_params}))
  (import "" "memory" (memory 1))
  (func (export "flat"){flat_params} (result i32) (call $return{flat_args}) (i32.const 0))
  (func (export "callback") (param i32 i32 i32) (result i32) unreachable)
  (func (export "heap") (param i32) (result {heap_result}) {heap_body}))
(core instance $i (instantiate $m (with "" (instance
  (export "return" (func $return)) (export "memory" (memory $memory))))))
(alias core export $i "flat" (core func $flat))
(alias core export $i "heap" (core func $heap))
(alias core export $i "callback" (core func $callback))
(func (export "flat") async (param "x" {t}) (result {t}) (canon lift (core func $flat) async
  (callback $callback) (memory $memory) (realloc $realloc) string-encoding={encoding}))
(func (export "heap") (param "x" {t}) (param "pad" $pad) (result {t}) (canon lift (core func $heap)
  (memory $memory) (realloc $realloc) string-encoding={encoding}))
)"#
    )
}

/// Writes the types a type is made of; named ones must be exported to be used in an export.
fn define(ty: &Ty, out: &mut String, count: &mut usize) -> String {
    let mut part = |ty: &Ty, out: &mut String| define(ty, out, count);
    let (text, named) = match ty {
        Ty::Bool => return "bool".to_owned(),
        Ty::S8 => return "s8".to_owned(),
        Ty::U8 => return "u8".to_owned(),
        Ty::S16 => return "s16".to_owned(),
        Ty::U16 => return "u16".to_owned(),
        Ty::S32 => return "s32".to_owned(),
        Ty::U32 => return "u32".to_owned(),
        Ty::S64 => return "s64".to_owned(),
        Ty::U64 => return "u64".to_owned(),
        Ty::F32 => return "f32".to_owned(),
        Ty::F64 => return "f64".to_owned(),
        Ty::Char => return "char".to_owned(),
        Ty::String => return "string".to_owned(),
        Ty::List(element) => (format!("(list {})", part(element, out)), false),
        Ty::Map(key, value) => {
            let key = part(key, out);
            (format!("(map {key} {})", part(value, out)), false)
        }
        Ty::Tuple(parts) => {
            let parts: Vec<_> = parts.iter().map(|p| part(p, out)).collect();
            (format!("(tuple {})", parts.join(" ")), false)
        }
        Ty::Record(fields) => {
            let fields = fields.iter().enumerate();
            let fields: Vec<_> = fields
                .map(|(i, f)| format!("(field \"{}\" {})", name(i), part(f, out)))
                .collect();
            (format!("(record {})", fields.join(" ")), true)
        }
        Ty::Variant(cases) => {
            let case = |(i, case): (usize, &Option<Ty>)| match case {
                Some(case) => format!("(case \"{}\" {})", name(i), part(case, out)),
                None => format!("(case \"{}\")", name(i)),
            };
            let cases: Vec<_> = cases.iter().enumerate().map(case).collect();
            (format!("(variant {})", cases.join(" ")), true)
        }
        Ty::Enum(cases) => (format!("(enum {})", names(*cases)), true),
        Ty::Flags(flags) => (format!("(flags {})", names(*flags)), true),
        Ty::Option(some) => (format!("(option {})", part(some, out)), false),
        Ty::Result(ok, err) => {
            let ok = ok.as_ref().map(|ok| part(ok, out)).unwrap_or_default();
            let err = err
                .as_ref()
                .map(|err| format!("(error {})", part(err, out)));
            (format!("(result {ok} {})", err.unwrap_or_default()), false)
        }
    };
    *count += 1;
    if named {
        writeln!(
            out,
            "(type $a{count} {text}) (export $t{count} \"t{count}\" (type $a{count}))"
        )
        .unwrap();
    } else {
        writeln!(out, "(type $t{count} {text})").unwrap();
    }
    format!("$t{count}")
}

fn names(count: usize) -> String {
    (0..count).map(|i| format!("\"{}\" ", name(i))).collect()
}

/// The core types a type is flat, up to one more than can be.
fn flatten(ty: &Ty) -> Vec<&'static str> {
    let mut flat = match ty {
        Ty::S64 | Ty::U64 => vec!["i64"],
        Ty::F32 => vec!["f32"],
        Ty::F64 => vec!["f64"],
        Ty::String | Ty::List(_) | Ty::Map(..) => vec!["i32", "i32"],
        Ty::Tuple(parts) | Ty::Record(parts) => parts.iter().flat_map(flatten).collect(),
        Ty::Variant(cases) => choice(cases.iter().flatten()),
        Ty::Option(some) => choice([&**some].into_iter()),
        Ty::Result(ok, err) => choice(ok.iter().chain(err).map(|ty| &**ty)),
        _ => vec!["i32"],
    };
    flat.truncate(17);
    flat
}

fn choice<'t>(cases: impl Iterator<Item = &'t Ty>) -> Vec<&'static str> {
    let mut flat = vec!["i32"];
    for case in cases {
        for (i, kind) in flatten(case).into_iter().enumerate() {
            match flat.get_mut(i + 1) {
                None => flat.push(kind),
                Some(joined) if *joined == kind => {}
                Some(joined) => {
                    let wide = [*joined, kind].iter().any(|k| matches!(*k, "i64" | "f64"));
                    *joined = if wide { "i64" } else { "i32" };
                }
            }
        }
    }
    flat
}

/// How a type of one core value is loaded.
fn first_load(ty: &Ty) -> &'static str {
    match ty {
        Ty::Bool | Ty::U8 => "i32.load8_u",
        Ty::S8 => "i32.load8_s",
        Ty::S16 => "i32.load16_s",
        Ty::U16 => "i32.load16_u",
        Ty::S64 | Ty::U64 => "i64.load",
        Ty::F32 => "f32.load",
        Ty::F64 => "f64.load",
        Ty::Enum(n) if *n > 256 => "i32.load16_u",
        Ty::Enum(_) | Ty::Variant(_) | Ty::Result(..) => "i32.load8_u",
        Ty::Flags(n) if *n <= 8 => "i32.load8_u",
        Ty::Flags(n) if *n <= 16 => "i32.load16_u",
        Ty::Tuple(parts) | Ty::Record(parts) => first_load(&parts[0]),
        _ => "i32.load",
    }
}

/// Text to binary.
pub(super) fn parse(text: &str) -> Vec<u8> {
    ::wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// `relay` copies a stream item by item into a new one; `later` does so with a future; `pass` hands
/// a stream back untouched.
pub(super) fn relay(ty: &Ty) -> String {
    let mut types = String::new();
    let t = define(ty, &mut types, &mut 0);
    relay_of(&types, &t, &format!("(future {t})"), layout(ty).0)
}

/// [`relay`] of streams without a type.
pub(super) fn units() -> String {
    relay_of("", "", "(future)", 0)
}

fn relay_of(types: &str, t: &str, future: &str, size: usize) -> String {
    let stream = format!("(stream {t})");
    format!(
        r#"(component
{types}
(type $s {stream})
(type $f {future})
(core module $libc
  (memory (export "memory") 64)
  (global $next (mut i32) (i32.const 131072))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get 2))))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (if (i32.gt_u (global.get $next) (i32.const 4194304)) (then unreachable))
    (local.get $at)))
(core instance $libc (instantiate $libc))
(alias core export $libc "memory" (core memory $memory))
(alias core export $libc "realloc" (core func $realloc))
(core func $s-return (canon task.return (result $s) (memory $memory)))
(core func $s-new (canon stream.new $s))
(core func $s-read (canon stream.read $s (memory $memory) (realloc $realloc)))
(core func $s-write (canon stream.write $s (memory $memory)))
(core func $s-drop-readable (canon stream.drop-readable $s))
(core func $s-drop-writable (canon stream.drop-writable $s))
(core func $f-return (canon task.return (result $f) (memory $memory)))
(core func $f-new (canon future.new $f))
(core func $f-read (canon future.read $f (memory $memory) (realloc $realloc)))
(core func $f-write (canon future.write $f (memory $memory)))
(core func $f-drop-readable (canon future.drop-readable $f))
(core func $f-drop-writable (canon future.drop-writable $f))
(core module $m
  (import "" "s-return" (func $s-return (param i32)))
  (import "" "s-new" (func $s-new (result i64)))
  (import "" "s-read" (func $s-read (param i32 i32 i32) (result i32)))
  (import "" "s-write" (func $s-write (param i32 i32 i32) (result i32)))
  (import "" "s-drop-readable" (func $s-drop-readable (param i32)))
  (import "" "s-drop-writable" (func $s-drop-writable (param i32)))
  (import "" "f-return" (func $f-return (param i32)))
  (import "" "f-new" (func $f-new (result i64)))
  (import "" "f-read" (func $f-read (param i32 i32) (result i32)))
  (import "" "f-write" (func $f-write (param i32 i32) (result i32)))
  (import "" "f-drop-readable" (func $f-drop-readable (param i32)))
  (import "" "f-drop-writable" (func $f-drop-writable (param i32)))
  (import "" "memory" (memory 1))
  (func (export "callback") (param i32 i32 i32) (result i32) unreachable)
  (func (export "pass") (param i32) (result i32) (local.get 0))
  (func (export "relay") (param $in i32) (result i32)
    (local $ends i64) (local $out i32) (local $got i32)
    (local.set $ends (call $s-new))
    (local.set $out (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
    (call $s-return (i32.wrap_i64 (local.get $ends)))
    (block $end (loop $more
      ;; Up to four items a read, at 64; the count is in the upper 28 bits, the end in the lower 4.
      (local.set $got (call $s-read (local.get $in) (i32.const 64) (i32.const 4)))
      (if (i32.shr_u (local.get $got) (i32.const 4)) (then
        (br_if $end (call $all (local.get $out) (i32.shr_u (local.get $got) (i32.const 4))))))
      (br_if $end (i32.and (local.get $got) (i32.const 15)))
      (br $more)))
    (call $s-drop-writable (local.get $out))
    (call $s-drop-readable (local.get $in))
    (i32.const 0))
  ;; Writes all items, and says whether nobody reads any more.
  (func $all (param $out i32) (param $count i32) (result i32)
    (local $done i32) (local $got i32)
    (loop $more
      (local.set $got (call $s-write (local.get $out)
        (i32.add (i32.const 64) (i32.mul (local.get $done) (global.get $size)))
        (i32.sub (local.get $count) (local.get $done))))
      (if (i32.and (local.get $got) (i32.const 15)) (then (return (i32.const 1))))
      (local.set $done (i32.add (local.get $done) (i32.shr_u (local.get $got) (i32.const 4))))
      (br_if $more (i32.lt_u (local.get $done) (local.get $count))))
    (i32.const 0))
  (global $size i32 (i32.const {size}))
  (func (export "later") (param $in i32) (result i32)
    (local $ends i64) (local $out i32)
    (local.set $ends (call $f-new))
    (local.set $out (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
    (call $f-return (i32.wrap_i64 (local.get $ends)))
    (drop (call $f-read (local.get $in) (i32.const 64)))
    (drop (call $f-write (local.get $out) (i32.const 64)))
    (call $f-drop-writable (local.get $out))
    (call $f-drop-readable (local.get $in))
    (i32.const 0)))
(core instance $i (instantiate $m (with "" (instance
  (export "s-return" (func $s-return)) (export "s-new" (func $s-new))
  (export "s-read" (func $s-read)) (export "s-write" (func $s-write))
  (export "s-drop-readable" (func $s-drop-readable))
  (export "s-drop-writable" (func $s-drop-writable))
  (export "f-return" (func $f-return)) (export "f-new" (func $f-new))
  (export "f-read" (func $f-read)) (export "f-write" (func $f-write))
  (export "f-drop-readable" (func $f-drop-readable))
  (export "f-drop-writable" (func $f-drop-writable))
  (export "memory" (memory $memory))))))
(alias core export $i "callback" (core func $callback))
(alias core export $i "pass" (core func $pass))
(alias core export $i "relay" (core func $relay))
(alias core export $i "later" (core func $later))
(func (export "pass") (param "in" $s) (result $s) (canon lift (core func $pass)))
(func (export "relay") async (param "in" $s) (result $s)
  (canon lift (core func $relay) async (callback $callback) (memory $memory)))
(func (export "later") async (param "in" $f) (result $f)
  (canon lift (core func $later) async (callback $callback) (memory $memory)))
)"#
    )
}

/// Size and alignment of a type in memory.
fn layout(ty: &Ty) -> (usize, usize) {
    let tagged = |tag: usize, cases: Vec<(usize, usize)>| {
        let align = cases.iter().map(|case| case.1).chain([tag]).max().unwrap();
        let size = cases.iter().map(|case| case.0).max().unwrap_or(0);
        (
            (tag.next_multiple_of(align) + size).next_multiple_of(align),
            align,
        )
    };
    match ty {
        Ty::Bool | Ty::S8 | Ty::U8 => (1, 1),
        Ty::S16 | Ty::U16 => (2, 2),
        Ty::S32 | Ty::U32 | Ty::F32 | Ty::Char => (4, 4),
        Ty::S64 | Ty::U64 | Ty::F64 => (8, 8),
        Ty::String | Ty::List(_) | Ty::Map(..) => (8, 4),
        Ty::Tuple(parts) | Ty::Record(parts) => {
            let (mut size, mut align) = (0usize, 1);
            for part in parts.iter().map(layout) {
                size = size.next_multiple_of(part.1) + part.0;
                align = align.max(part.1);
            }
            (size.next_multiple_of(align), align)
        }
        Ty::Variant(cases) => tagged(1, cases.iter().flatten().map(layout).collect()),
        Ty::Enum(cases) => tagged(if *cases > 256 { 2 } else { 1 }, Vec::new()),
        Ty::Flags(flags) => match flags {
            0..=8 => (1, 1),
            9..=16 => (2, 2),
            _ => (4, 4),
        },
        Ty::Option(some) => tagged(1, vec![layout(some)]),
        Ty::Result(ok, err) => tagged(1, ok.iter().chain(err).map(|ty| layout(ty)).collect()),
    }
}
