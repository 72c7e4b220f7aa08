//! Transcoding against the engine's own typed calls: how much CBOR costs on top.
//!
//! Prints one line per case: microseconds by either way and their ratio.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark, read by a person"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proc_host_wire::cbor::Writer;
use proc_host_worker::convert::{Signature, TypedCall};
use wasmtime::component::{Component, Instance, Linker, TypedFunc, Val, WasmList};
use wasmtime::{Engine, Store};

/// Echoes of its memory: each call may overwrite what the one before it got.
const GUEST: &str = r#"(component
(core module $m
  (memory (export "memory") 600)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "echo") (param i32 i32) (result i32)
    (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1)) (i32.const 0)))
(core instance $i (instantiate $m))
(alias core export $i "memory" (core memory $memory))
(alias core export $i "realloc" (core func $realloc))
(alias core export $i "add" (core func $add))
(alias core export $i "echo" (core func $echo))
(type $bytes (list u8))
(type $numbers (list u32))
(type $pair (tuple f64 f64 u32))
(type $pairs (list $pair))
(func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $add)))
(func (export "bytes") (param "x" $bytes) (result $bytes)
  (canon lift (core func $echo) (memory $memory) (realloc $realloc)))
(func (export "string") (param "x" string) (result string)
  (canon lift (core func $echo) (memory $memory) (realloc $realloc)))
(func (export "numbers") (param "x" $numbers) (result $numbers)
  (canon lift (core func $echo) (memory $memory) (realloc $realloc)))
(func (export "pairs") (param "x" $pairs) (result $pairs)
  (canon lift (core func $echo) (memory $memory) (realloc $realloc)))
)"#;

struct Guest {
    store: Store<()>,
    instance: Instance,
    runtime: tokio::runtime::Runtime,
}

/// The run that one in ten of `samples` beats, in microseconds: near what an idle machine gives.
fn typical(samples: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<Duration> = (0..samples)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[samples / 10].as_secs_f64() * 1e6
}

impl Guest {
    fn transcoded(&mut self, name: &str, body: Vec<u8>, samples: usize) -> f64 {
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        let ty = func.ty(&self.store);
        let signature = Signature::new(ty.params(), ty.results().next()).unwrap();
        let call = TypedCall::bind(&self.store, func, Arc::new(signature)).unwrap();
        let body = bytes::Bytes::from(body);
        let Guest { store, runtime, .. } = self;
        typical(samples, || {
            let args = call.signature().arguments(body.clone(), &[]).unwrap();
            let args = call.attach(args, Vec::new()).unwrap();
            black_box(
                runtime
                    .block_on(call.call_async(&mut *store, args))
                    .unwrap(),
            );
        })
    }

    fn typed<P, R>(&mut self, name: &str, params: impl Fn() -> P, samples: usize) -> f64
    where
        P: wasmtime::component::ComponentNamedList + wasmtime::component::Lower,
        R: wasmtime::component::ComponentNamedList + wasmtime::component::Lift + 'static,
    {
        let func: TypedFunc<P, R> = self.instance.get_typed_func(&mut self.store, name).unwrap();
        let Guest { store, runtime, .. } = self;
        typical(samples, || {
            black_box(
                runtime
                    .block_on(func.call_async(&mut *store, params()))
                    .unwrap(),
            );
        })
    }

    fn dynamic(&mut self, name: &str, params: &[Val], samples: usize) -> f64 {
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        let Guest { store, runtime, .. } = self;
        typical(samples, || {
            let mut results = [Val::Bool(false)];
            runtime
                .block_on(func.call_async(&mut *store, params, &mut results))
                .unwrap();
            black_box(results);
        })
    }
}

fn line(name: &str, mine: f64, other: &str, theirs: f64) {
    println!(
        "{name:<22} {mine:>10.2} us   {other:<12} {theirs:>10.2} us   x{:.2}",
        mine / theirs
    );
}

fn argument(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = vec![0x81];
    write(&mut body);
    body
}

fn main() {
    let engine = Engine::default();
    let component = Component::new(&engine, wat::parse_str(GUEST).unwrap()).unwrap();
    let mut store = Store::new(&engine, ());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let linker = Linker::new(&engine);
    let instance = runtime
        .block_on(linker.instantiate_async(&mut store, &component))
        .unwrap();
    store.set_hostcall_fuel(1 << 40);
    let mut guest = Guest {
        store,
        instance,
        runtime,
    };

    let mine = guest.transcoded("add", vec![0x82, 0x18, 40, 2], 20_000);
    let theirs = guest.typed::<_, (u32,)>("add", || (40u32, 2u32), 20_000);
    line("add", mine, "typed", theirs);

    for (size, samples) in [
        (1 << 10, 5000),
        (64 << 10, 2000),
        (1 << 20, 300),
        (16 << 20, 60),
    ] {
        let data = vec![7u8; size];
        let body = argument(|out| Writer::new(out).bytes(&data));
        let mine = guest.transcoded("bytes", body, samples);
        let name = format!("list<u8> {} KiB", size >> 10);
        let theirs = guest.typed::<_, (Vec<u8>,)>("bytes", || (&data[..],), samples);
        line(&name, mine, "Vec", theirs);
        let theirs = guest.typed::<_, (WasmList<u8>,)>("bytes", || (&data[..],), samples);
        line(&name, mine, "WasmList", theirs);
    }

    let text = "héllo wörld ".repeat(80_000);
    let mine = guest.transcoded("string", argument(|out| Writer::new(out).text(&text)), 300);
    let theirs = guest.typed::<_, (String,)>("string", || (&text[..],), 300);
    line("string 1 MiB", mine, "String", theirs);

    let numbers: Vec<u32> = (0..256 << 10)
        .map(|i: u32| i.wrapping_mul(2_654_435_761))
        .collect();
    let body = argument(|out| {
        Writer::new(out).array(numbers.len());
        numbers
            .iter()
            .for_each(|n| Writer::new(out).uint((*n).into()));
    });
    let mine = guest.transcoded("numbers", body, 100);
    let theirs = guest.typed::<_, (Vec<u32>,)>("numbers", || (&numbers[..],), 100);
    line("list<u32> 256 Ki", mine, "Vec", theirs);
    let values = [Val::List(numbers.iter().map(|n| Val::U32(*n)).collect())];
    line("", mine, "Val", guest.dynamic("numbers", &values, 20));

    let pairs: Vec<(f64, f64, u32)> = (0..64 << 10).map(|i| (f64::from(i), 0.5, i)).collect();
    let body = argument(|out| {
        Writer::new(out).array(pairs.len());
        for (a, b, c) in &pairs {
            let mut writer = Writer::new(out);
            writer.array(3);
            writer.f64(*a);
            writer.f64(*b);
            writer.uint((*c).into());
        }
    });
    let mine = guest.transcoded("pairs", body, 100);
    let theirs = guest.typed::<_, (Vec<(f64, f64, u32)>,)>("pairs", || (&pairs[..],), 100);
    line("list<tuple> 64 Ki", mine, "Vec", theirs);
    let tuple = |(a, b, c): &(f64, f64, u32)| {
        Val::Tuple(vec![Val::Float64(*a), Val::Float64(*b), Val::U32(*c)])
    };
    let values = [Val::List(pairs.iter().map(tuple).collect())];
    line("", mine, "Val", guest.dynamic("pairs", &values, 20));
}
