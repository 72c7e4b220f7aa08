//! Resources in and out: owned and lent, of the right type and of the wrong one.

use bytes::Bytes;
use proc_host_wire::AttachmentKind::{Resource, Stream as StreamKind};
use proc_host_wire::cbor::{TAG_RESOURCE, Writer};
use wasmtime::component::ResourceAny;

use super::super::{Attachment, Wanted};
use super::echo::{Guest, engine, run};

const GUEST: &str = r#"(component
(type $a' (resource (rep i32)))
(export $a "a" (type $a'))
(type $b' (resource (rep i32)))
(export $b "b" (type $b'))
(core func $new-a (canon resource.new $a'))
(core func $new-b (canon resource.new $b'))
(core func $rep-a (canon resource.rep $a'))
(core func $drop-a (canon resource.drop $a'))
(core module $m
  (import "" "new-a" (func $new-a (param i32) (result i32)))
  (import "" "new-b" (func $new-b (param i32) (result i32)))
  (import "" "rep-a" (func $rep-a (param i32) (result i32)))
  (import "" "drop-a" (func $drop-a (param i32)))
  (memory (export "memory") 1)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "make-a") (param i32) (result i32) (call $new-a (local.get 0)))
  (func (export "make-b") (param i32) (result i32) (call $new-b (local.get 0)))
  (func (export "two") (result i32)
    (i32.store (i32.const 8) (call $new-a (i32.const 1)))
    (i32.store (i32.const 12) (call $new-a (i32.const 2)))
    (i32.store (i32.const 0) (i32.const 8))
    (i32.store (i32.const 4) (i32.const 2))
    (i32.const 0))
  (func (export "sum") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "take") (param i32) (result i32)
    (call $rep-a (local.get 0)) (call $drop-a (local.get 0)))
  (func (export "last") (param $at i32) (param $count i32) (result i32)
    (i32.load (i32.add (local.get $at)
      (i32.mul (i32.const 4) (i32.sub (local.get $count) (i32.const 1)))))))
(core instance $i (instantiate $m (with "" (instance
  (export "new-a" (func $new-a)) (export "new-b" (func $new-b))
  (export "rep-a" (func $rep-a)) (export "drop-a" (func $drop-a))))))
(alias core export $i "memory" (core memory $memory))
(alias core export $i "realloc" (core func $realloc))
(alias core export $i "make-a" (core func $make-a))
(alias core export $i "make-b" (core func $make-b))
(alias core export $i "two" (core func $two))
(alias core export $i "sum" (core func $sum))
(alias core export $i "take" (core func $take))
(alias core export $i "last" (core func $last))
(func (export "make-a") (param "rep" u32) (result (own $a)) (canon lift (core func $make-a)))
(func (export "make-b") (param "rep" u32) (result (own $b)) (canon lift (core func $make-b)))
(func (export "two") (result (list (own $a))) (canon lift (core func $two) (memory $memory)))
(func (export "sum") (param "x" (borrow $a)) (param "y" (borrow $a)) (result u32)
  (canon lift (core func $sum)))
(func (export "take") (param "x" (own $a)) (result u32) (canon lift (core func $take)))
(func (export "last") (param "all" (list (borrow $a))) (result u32)
  (canon lift (core func $last) (memory $memory) (realloc $realloc)))
)"#;

/// Arguments that are handles, by index.
fn handles(indices: &[u64]) -> Bytes {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.array(indices.len());
    for index in indices {
        writer.tag(TAG_RESOURCE);
        writer.uint(*index);
    }
    body.into()
}

async fn make(guest: &mut Guest, name: &str, rep: u8) -> ResourceAny {
    let call = guest.call(name);
    let args = call
        .signature()
        .arguments(vec![0x81, rep].into(), &[])
        .unwrap();
    let args = call.attach(args, Vec::new()).unwrap();
    let mut reply = call.call_async(&mut guest.store, args).await.unwrap();
    assert_eq!(reply.body, handles(&[0])[1..]);
    match reply.attachments.pop() {
        Some(Attachment::Resource(resource)) => resource,
        other => panic!("no resource: {other:?}"),
    }
}

async fn number(guest: &mut Guest, name: &str, body: Bytes, resources: &[ResourceAny]) -> u8 {
    let call = guest.call(name);
    let kinds = vec![Resource; resources.len()];
    let args = call.signature().arguments(body, &kinds).unwrap();
    let attachments = resources.iter().map(|r| Attachment::Resource(*r)).collect();
    let args = call.attach(args, attachments).unwrap();
    call.call_async(&mut guest.store, args).await.unwrap().body[0]
}

#[test]
fn resources_go_in_and_out() {
    run(async {
        let mut guest = Guest::new(&engine(), GUEST).await;
        let x = make(&mut guest, "make-a", 3).await;
        let y = make(&mut guest, "make-a", 4).await;
        assert_eq!(
            number(&mut guest, "sum", handles(&[0, 1]), &[x, y]).await,
            7
        );
        // Lent twice in one call.
        assert_eq!(number(&mut guest, "sum", handles(&[0, 0]), &[x]).await, 6);
        let mut list = vec![0x81];
        list.extend_from_slice(&handles(&[1, 0, 1]));
        assert_eq!(number(&mut guest, "last", list.into(), &[x, y]).await, 4);
        assert_eq!(number(&mut guest, "take", handles(&[0]), &[x]).await, 3);
        assert_eq!(number(&mut guest, "take", handles(&[0]), &[y]).await, 4);
    });
}

#[test]
fn a_list_of_resources_comes_out_in_order() {
    run(async {
        let mut guest = Guest::new(&engine(), GUEST).await;
        let call = guest.call("two");
        let args = call.signature().arguments(vec![0xa0].into(), &[]).unwrap();
        let args = call.attach(args, Vec::new()).unwrap();
        let reply = call.call_async(&mut guest.store, args).await.unwrap();
        assert_eq!(reply.body, handles(&[0, 1]));
        for (rep, attachment) in (1..).zip(reply.attachments) {
            let Attachment::Resource(resource) = attachment else {
                panic!("no resource")
            };
            assert_eq!(
                number(&mut guest, "take", handles(&[0]), &[resource]).await,
                rep
            );
        }
    });
}

#[test]
fn wrong_handles_are_refused_and_cost_nothing() {
    run(async {
        let mut guest = Guest::new(&engine(), GUEST).await;
        let x = make(&mut guest, "make-a", 3).await;
        let b = make(&mut guest, "make-b", 9).await;
        let call = guest.call("take");
        let check = |body: Bytes, kinds: &[_]| {
            call.signature()
                .arguments(body, kinds)
                .map(drop)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            check(handles(&[1]), &[Resource]),
            "argument 1 \"x\": there is no attachment 1"
        );
        let sum = guest.call("sum");
        assert_eq!(
            check(handles(&[]), &[]),
            "arguments: the function takes 1 arguments, 0 were given"
        );
        assert!(
            sum.signature()
                .arguments(handles(&[0, 0]), &[Resource])
                .is_ok()
        );
        assert_eq!(
            check(handles(&[0]), &[StreamKind]),
            "argument 1 \"x\": attachment 0 is not a resource"
        );
        let stream = Bytes::from(vec![0x81, 0xd9, 0xa0, 0x29, 0]);
        assert_eq!(
            check(stream, &[Resource]),
            "argument 1 \"x\": expected resource, found another tag"
        );
        assert_eq!(
            check(vec![0x81, 0].into(), &[Resource]),
            "argument 1 \"x\": expected resource, found integer"
        );

        let args = call
            .signature()
            .arguments(handles(&[0]), &[Resource])
            .unwrap();
        assert!(matches!(
            args.wanted().collect::<Vec<_>>()[..],
            [(0, Wanted::Own)]
        ));
        let error = call
            .attach(args, vec![Attachment::Resource(b)])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "arguments: attachment 0 is not of the type the function takes"
        );
        // Nothing was lowered, so the Store still serves.
        assert_eq!(number(&mut guest, "take", handles(&[0]), &[x]).await, 3);
    });
}

const MOVES: &str = r#"(component
(type $a' (resource (rep i32)))
(export $a "a" (type $a'))
(core module $m (func (export "f") (param i32 i32)))
(core instance $i (instantiate $m))
(alias core export $i "f" (core func $f))
(func (export "both") (param "x" (own $a)) (param "y" (own $a)) (canon lift (core func $f)))
(func (export "mixed") (param "x" (borrow $a)) (param "y" (own $a)) (canon lift (core func $f)))
)"#;

#[test]
fn what_moves_moves_once() {
    run(async {
        let mut guest = Guest::new(&engine(), MOVES).await;
        for name in ["both", "mixed"] {
            let call = guest.call(name);
            let error = call
                .signature()
                .arguments(handles(&[0, 0]), &[Resource])
                .unwrap_err();
            assert_eq!(
                error.to_string(),
                "argument 2 \"y\": attachment 0 is used twice"
            );
            assert!(
                call.signature()
                    .arguments(handles(&[0, 1]), &[Resource; 2])
                    .is_ok()
            );
        }
    });
}
