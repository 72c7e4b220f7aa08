//! Hosts, modules and connections from their beginning to their end.

use std::time::{Duration, Instant};

use proc_host_jail::Launcher;
use proc_host_server::{ListenerError, Options, ServerError, Stop, StopSource, run};
use proc_host_wire::control::{ModuleSpec, PoolSpec, Reply, Request};
use proc_host_wire::message::Answer;
use proc_host_wire::{DeniedReason, Message, Outcome};

use crate::peer::{self, Client};
use crate::served::{Served, children, component};

pub(crate) fn modules_come_and_go() {
    let host = Served::start(2);
    let mut client = host.connect();
    let spec = PoolSpec {
        name: "Other".into(),
        slots: 1,
        callbacks: false,
    };
    assert_eq!(
        client.request(Request::CreatePool(spec.clone())),
        Ok(Reply::Done)
    );
    assert!(
        client
            .request(Request::CreatePool(spec))
            .unwrap_err()
            .contains("already")
    );
    let load = |client: &mut Client, name: &str, bytes: &[u8]| {
        let module = ModuleSpec {
            name: name.into(),
            size: bytes.len() as u64,
            instances: None,
            limits: None,
        };
        let request = Request::Load {
            pool: "Workers".into(),
            modules: vec![module],
        };
        client.request_with(request, bytes)
    };
    assert_eq!(
        load(&mut client, "more", &component("good")),
        Ok(Reply::Done)
    );
    assert_eq!(
        client.call("more.echo", 1),
        Outcome::Returned(peer::value(1))
    );
    let error = load(&mut client, "bad", &component("bad")).unwrap_err();
    assert!(error.contains("bad: it is bad"), "{error}");
    let error = load(&mut client, "crash", &component("crash")).unwrap_err();
    assert!(error.contains("SIGABRT"), "{error}");
    let error = load(&mut client, "refused", &component("refused")).unwrap_err();
    assert!(error.contains("will not load"), "{error}");
    let error = load(&mut client, "core", b"\0asm\x01\0\0\0").unwrap_err();
    assert!(error.contains("core module"), "{error}");
    assert_eq!(
        client.call("fake.echo", 2),
        Outcome::Returned(peer::value(2))
    );
    // Replacing `fake` empties the first set: its workers go.
    assert_eq!(
        load(&mut client, "fake", &component("good2")),
        Ok(Reply::Done)
    );
    assert_eq!(
        client.call("fake.echo", 3),
        Outcome::Returned(peer::value(3))
    );
    let unload = Request::Unload {
        pool: "Workers".into(),
        module: "more".into(),
    };
    assert_eq!(client.request(unload), Ok(Reply::Done));
    assert!(
        matches!(client.call("more.echo", 4), Outcome::Denied(d) if d.reason == DeniedReason::UnknownModule)
    );
    loop {
        let Ok(Reply::Pools(pools)) = client.request(Request::Ps) else {
            panic!("no pools")
        };
        assert_eq!(
            (pools[0].name.as_str(), pools[1].name.as_str()),
            ("Other", "Workers")
        );
        let workers = &pools[1].workers;
        if workers.len() == 2 {
            assert!(
                workers
                    .iter()
                    .all(|w| w.modules == ["fake"] && w.memory > 0 && w.pid > 0)
            );
            break;
        }
    }
    host.stop(Stop::Drain);
}

pub(crate) fn explicit_modules_that_do_not_load_stop_the_start() {
    let (served, ready) = Served::try_start(
        1,
        &[
            ("good.wasm", &component("good")),
            ("bad.wasm", &component("bad")),
            ("text.wasm", b"hello"),
        ],
    );
    assert_eq!(ready, None);
    let error = served.thread.join().unwrap().unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines[0].ends_with("bad.wasm: it is bad"), "{error}");
    assert!(lines[1].contains("text.wasm: not a component"), "{error}");
    assert!(!served.directory.path().join("s").exists());
    assert_eq!(children(), 0);
}

pub(crate) fn strangers_are_refused() {
    let host = Served::start(1);
    let why = |hello: Message| {
        let mut client = Client::raw(&host.socket());
        client.send(hello);
        match client.receive() {
            Message::Refused(why) => {
                assert!(client.is_closed());
                why
            }
            other => panic!("{other:?}"),
        }
    };
    let hello = |major, token| Message::Hello {
        major,
        features: 0,
        token,
        name: String::new(),
    };
    assert_eq!(why(hello(1, [0; 32])), "wrong token");
    assert!(why(hello(9, [0; 32])).contains("version 1"));
    assert!(why(Message::Cancel { call: 1 }).contains("hello"));
    let mut client = host.connect();
    client.send_call(1, "fake.hang", b"x", None);
    client.send_call(1, "fake.hang", b"x", None);
    assert!(matches!(client.receive(), Message::Refused(why) if why == "call 1 is in use"));
    let mut raw = Client::raw(&host.socket());
    raw.send_bytes(&[0xff; 64]);
    assert!(matches!(raw.receive(), Message::Refused(_)));
    assert_eq!(
        host.connect().call("fake.echo", 1),
        Outcome::Returned(peer::value(1))
    );
    let second = Options::new(host.socket());
    let (_stopper, source) = StopSource::channel();
    let launcher = Launcher::start().unwrap();
    let busy = run(second, launcher, source, |_| panic!("two hosts"));
    assert!(matches!(
        busy,
        Err(ServerError::Listener(ListenerError::Busy(_)))
    ));
    host.stop(Stop::Drain);
}

pub(crate) fn logs_are_kept_and_followed() {
    let host = Served::start(1);
    let mut client = host.connect();
    assert_eq!(
        client.call("fake.log", 1),
        Outcome::Returned(peer::value(1))
    );
    let mut follower = host.connect();
    let entries = follower.logs();
    let line = entries.iter().find(|entry| entry.text == "a line").unwrap();
    assert_eq!(line.module.as_deref(), Some("fake"));
    assert_eq!(line.function.as_deref(), Some("log"));
    assert!(line.call.is_some() && line.time_ms > 0);
    assert!(entries.iter().any(|entry| entry.text == "loaded fake"));
    client.call("fake.log", 2);
    assert!(matches!(follower.receive(), Message::Log(entry) if entry.text == "a line"));
    client.call("fake.print", 3);
    assert!(matches!(follower.receive(), Message::Log(entry) if entry.text == "printed"));
    host.stop(Stop::Drain);
}

pub(crate) fn stopping_lets_calls_end_and_a_second_stop_does_not() {
    let host = Served::start(1);
    let mut client = host.connect();
    client.send_call(1, "fake.ask", b"what", None);
    let Message::Callback { callback, .. } = client.receive() else {
        panic!("no callback")
    };
    host.stopper.stop(Stop::Drain);
    loop {
        match client.call("fake.echo", 1) {
            Outcome::Denied(denied) if denied.reason == DeniedReason::Stopping => break,
            Outcome::Returned(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let answer = Answer::Value((&b"1"[..]).into());
    client.send(Message::Answer {
        call: 1,
        callback,
        answer,
    });
    assert!(matches!(client.outcome(1), Outcome::Returned(_)));
    host.stop(Stop::Drain);
    let host = Served::start(1);
    let mut client = host.connect();
    client.send_call(1, "fake.hang", b"x", None);
    // The answer to a request comes behind the call's start.
    client.request(Request::Ping).unwrap();
    host.stopper.stop(Stop::Drain);
    let began = Instant::now();
    host.stop(Stop::Drain);
    assert_eq!(client.outcome(1), Outcome::Cancelled { dispatched: true });
    assert!(client.is_closed());
    assert!(began.elapsed() < Duration::from_secs(5));
}

pub(crate) fn an_owner_takes_the_host_along() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path().join("h.sock"));
    let (owner, held) = std::os::unix::net::UnixStream::pair().unwrap();
    options.owner = Some(owner.into());
    let (_stopper, source) = StopSource::channel();
    let launcher = Launcher::start().unwrap();
    run(options, launcher, source, |_| drop(held)).unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
