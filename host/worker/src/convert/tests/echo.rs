//! What goes in comes out: through memory, through core values, and by way of the oracle.

use std::sync::Arc;

use bytes::Bytes;
use proc_host_wire::cbor::{Limits, Reader, Writer};
use proptest::prelude::*;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Func, Instance, Linker, Val};
use wasmtime::{Config, Engine, Store};

use super::super::{Reply, Signature, TypedCall, Unsupported};
use super::spelling::respell;
use super::types::{Random, Ty, any_type};
use super::{oracle, wat};

pub(super) fn engine() -> Engine {
    let mut config = Config::new();
    config
        .wasm_component_model_map(true)
        .wasm_component_model_more_async_builtins(true);
    Engine::new(&config).unwrap()
}

pub(super) struct Guest {
    component: Component,
    pub(super) store: Store<()>,
    pub(super) instance: Instance,
}

impl Guest {
    pub(super) async fn new(engine: &Engine, text: &str) -> Guest {
        let binary = wat::parse(text);
        let component = Component::new(engine, binary).unwrap();
        let mut store = Store::new(engine, ());
        let linker = Linker::new(engine);
        let instance = linker
            .instantiate_async(&mut store, &component)
            .await
            .unwrap();
        Guest {
            component,
            store,
            instance,
        }
    }

    /// Goes on with another instance in the same Store.
    pub(super) async fn again(&mut self) {
        let linker = Linker::new(self.component.engine());
        self.instance = linker
            .instantiate_async(&mut self.store, &self.component)
            .await
            .unwrap();
    }

    pub(super) fn func(&mut self, name: &str) -> Func {
        self.instance.get_func(&mut self.store, name).unwrap()
    }

    /// As a worker does: the signature is made at load, without an instance.
    pub(super) fn call(&mut self, name: &str) -> TypedCall {
        let signature = signature(&self.component, name).unwrap();
        let func = self.func(name);
        TypedCall::bind(&self.store, func, Arc::new(signature)).unwrap()
    }
}

pub(super) fn signature(component: &Component, name: &str) -> Result<Signature, Unsupported> {
    let ty = component.component_type();
    let item = ty.get_export(component.engine(), name).unwrap().ty;
    let ComponentItem::ComponentFunc(func) = item else {
        panic!("not a function")
    };
    Signature::new(func.params(), func.results().next())
}

pub(super) fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// The arguments of `flat` or `heap` for an encoded value.
fn arguments(name: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out).array(if name == "heap" { 2 } else { 1 });
    out.extend_from_slice(value);
    if name == "heap" {
        Writer::new(&mut out).array(17);
        out.extend([0; 17]);
    }
    out
}

/// The reply as one value, as if a returned `result` were data.
fn whole(ty: &Ty, reply: Reply) -> Vec<u8> {
    assert!(reply.attachments.is_empty());
    if !matches!(ty, Ty::Result(..)) {
        assert!(!reply.raised);
        return reply.body;
    }
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.map(1);
    writer.text(if reply.raised { "err" } else { "ok" });
    out.extend(reply.body);
    out
}

async fn by_oracle(guest: &mut Guest, name: &str, ty: &Ty, value: &[u8]) -> Vec<u8> {
    let func = guest.func(name);
    let mut args = vec![oracle::read(ty, &mut Reader::new(value, Limits::DEFAULT))];
    if name == "heap" {
        args.push(Val::Tuple(vec![Val::U8(0); 17]));
    }
    let mut results = [Val::Bool(false)];
    func.call_async(&mut guest.store, &args, &mut results)
        .await
        .unwrap();
    let mut out = Vec::new();
    oracle::write(ty, &results[0], &mut out);
    out
}

const ENCODINGS: [&str; 3] = ["utf8", "utf16", "latin1+utf16"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn values_come_back(ty in any_type(), seed: u64) {
        run(async {
            let engine = engine();
            let encoding = ENCODINGS[usize::try_from(seed % 3).unwrap()];
            let mut guest = Guest::new(&engine, &wat::echo(&ty, encoding)).await;
            for name in ["flat", "heap"] {
                let call = guest.call(name);
                for round in 0..8 {
                    let mut value = Vec::new();
                    ty.value(&mut Random::new(seed.wrapping_add(round * 7919)), &mut value);
                    let loose = match round {
                        0..4 => value.clone(),
                        _ => respell(&ty, &value, &mut Random::new(seed ^ round)),
                    };
                    let body = Bytes::from(arguments(name, &loose));
                    let args = call.signature().arguments(body, &[]).unwrap();
                    let args = call.attach(args, Vec::new()).unwrap();
                    let reply = if round % 2 == 0 {
                        call.call_async(&mut guest.store, args).await.unwrap()
                    } else {
                        guest.store
                            .run_concurrent(async |a| call.call_concurrent(a, args).await)
                            .await.unwrap().unwrap()
                    };
                    assert_eq!(whole(&ty, reply), value, "{name} {encoding}");
                    assert_eq!(by_oracle(&mut guest, name, &ty, &value).await, value, "oracle");
                }
            }
        });
    }

    /// Whatever passes the check can be called; whatever does not leaves no trace.
    #[test]
    fn nothing_poisons_the_store(ty in any_type(), seed: u64) {
        run(async {
            let engine = engine();
            let encoding = ENCODINGS[usize::try_from(seed % 3).unwrap()];
            let mut guest = Guest::new(&engine, &wat::echo(&ty, encoding)).await;
            let mut random = Random::new(seed);
            for name in ["flat", "heap"] {
                let call = guest.call(name);
                for _ in 0..40 {
                    let mut value = Vec::new();
                    ty.value(&mut random, &mut value);
                    let mut body = arguments(name, &value);
                    for _ in 0..=random.below(3) {
                        let at = random.below(body.len());
                        match random.below(4) {
                            0 => body[at] = random.next().to_le_bytes()[0],
                            1 => drop(body.remove(at)),
                            2 => body.insert(at, random.next().to_le_bytes()[0]),
                            _ => body[at] ^= 1 << random.below(8),
                        }
                        if body.is_empty() {
                            body.push(0x80);
                        }
                    }
                    let Ok(args) = call.signature().arguments(body.into(), &[]) else { continue };
                    let args = call.attach(args, Vec::new()).unwrap();
                    let reply = call.call_async(&mut guest.store, args).await.unwrap();
                    // What came back is canonical, so it comes back as it is.
                    let value = whole(&ty, reply);
                    let body = arguments(name, &value).into();
                    let args = call.signature().arguments(body, &[]).unwrap();
                    let args = call.attach(args, Vec::new()).unwrap();
                    let reply = call.call_async(&mut guest.store, args).await.unwrap();
                    assert_eq!(whole(&ty, reply), value);
                }
            }
        });
    }
}

/// The guest's memory is dirty, so an option left out must be written as none.
#[test]
fn options_left_out_are_none() {
    run(async {
        let option = |ty| Ty::Option(Box::new(ty));
        let record = Ty::Record(vec![option(Ty::U64), Ty::U8, option(option(Ty::String))]);
        let list = Ty::List(Box::new(record));
        let mut guest = Guest::new(&engine(), &wat::echo(&list, "utf8")).await;
        // [{"n1": 7}, {"n2": [null], "n1": 8}]
        let given = b"\x82\xa1\x62n1\x07\xa2\x62n2\x81\xf6\x62n1\x08";
        let whole = b"\x82\xa3\x62n0\xf6\x62n1\x07\x62n2\x80\xa3\x62n0\xf6\x62n1\x08\x62n2\x81\xf6";
        for name in ["flat", "heap"] {
            let call = guest.call(name);
            let body = arguments(name, given).into();
            let args = call.signature().arguments(body, &[]).unwrap();
            let args = call.attach(args, Vec::new()).unwrap();
            let reply = call.call_async(&mut guest.store, args).await.unwrap();
            assert_eq!(reply.body, whole, "{name}");
        }
    });
}

/// So must a parameter, with so many others that all of them are in memory.
#[test]
fn parameters_left_out_are_none() {
    run(async {
        let guest = r#"(component
            (core module $m
              (memory (export "memory") 1)
              (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                (memory.fill (i32.const 64) (i32.const 0xaa) (local.get 3))
                (i32.const 64))
              (func (export "f") (param i32) (result i32)
                (i32.add (i32.load8_u offset=17 (local.get 0))
                  (i32.shl (i32.load8_u offset=19 (local.get 0)) (i32.const 8)))))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (alias core export $i "realloc" (core func $realloc))
            (alias core export $i "f" (core func $f))
            (type $pad (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8))
            (func (export "f") (param "pad" $pad) (param "a" (option u8)) (param "b" (option u8))
              (result u32) (canon lift (core func $f) (memory $memory) (realloc $realloc))))"#;
        let mut guest = Guest::new(&engine(), guest).await;
        let call = guest.call("f");
        let pad = [&[0x91][..], &[0; 17]].concat();
        let by_position = [&[0x81][..], &pad].concat();
        let by_name = [&b"\xa2\x61b\x05\x63pad"[..], &pad].concat();
        for (body, tags) in [(by_position, &b"\x00"[..]), (by_name, &b"\x19\x01\x00"[..])] {
            let args = call.signature().arguments(body.into(), &[]).unwrap();
            let args = call.attach(args, Vec::new()).unwrap();
            let reply = call.call_async(&mut guest.store, args).await.unwrap();
            assert_eq!(reply.body, tags);
        }
    });
}
