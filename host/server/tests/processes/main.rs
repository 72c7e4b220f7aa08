//! The host over real processes and sockets; workers and compilers are played by [`roles`].

#![allow(clippy::unwrap_used, reason = "a test fails by it")]
#![allow(clippy::print_stdout, reason = "this is the test harness")]

mod peer;
mod roles;

use std::path::Path;
use std::process::ExitCode;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use proc_host_jail::Launcher;
use proc_host_server::{
    ListenerError, ModuleConfig, Options, PoolConfig, ServerError, Stop, StopSource, Stopper, run,
};
use proc_host_wire::control::{ModuleSpec, PoolSpec, Reply, Request};
use proc_host_wire::message::Answer;
use proc_host_wire::{DeniedReason, FaultCause, Message, Outcome};
use tempfile::TempDir;

use self::peer::Client;

/// The first bytes of a component, and then what the compiler's player is to do with it.
fn component(directive: &str) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0", directive.as_bytes()].concat()
}

struct Served {
    directory: TempDir,
    stopper: Stopper,
    thread: JoinHandle<Result<(), ServerError>>,
}

impl Served {
    /// A host with one pool, `Workers`, with this many slots and the module `fake`.
    fn start(slots: u32) -> Served {
        let (served, ready) = Served::try_start(slots, &[("fake.wasm", &component("good"))]);
        assert_eq!(ready.unwrap(), ["fake"]);
        served
    }

    fn try_start(slots: u32, files: &[(&str, &[u8])]) -> (Served, Option<Vec<String>>) {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::new(directory.path().join("s/h.sock"));
        let mut pool = PoolConfig::new("Workers", slots);
        for (name, bytes) in files {
            let file = directory.path().join(name);
            std::fs::write(&file, bytes).unwrap();
            pool.modules.push(ModuleConfig::new(file));
        }
        options.pools.push(pool);
        let (stopper, source) = StopSource::channel();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let launcher = Launcher::start().unwrap();
            run(options, launcher, source, |ready| {
                sender.send(ready.pools[0].modules.clone()).unwrap();
            })
        });
        let ready = receiver.recv().ok();
        (
            Served {
                directory,
                stopper,
                thread,
            },
            ready,
        )
    }

    fn socket(&self) -> std::path::PathBuf {
        self.directory.path().join("s/h.sock")
    }

    fn connect(&self) -> Client {
        Client::connect(&self.socket())
    }

    /// Stops it, and checks that nothing is left.
    fn stop(self, how: Stop) {
        self.stopper.stop(how);
        self.thread.join().unwrap().unwrap();
        assert!(
            !self.directory.path().join("s").exists(),
            "the directory is gone"
        );
        assert_eq!(children(), 0, "no process is left");
    }
}

fn children() -> usize {
    let mut count = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path().join("children");
        count += std::fs::read_to_string(path)
            .unwrap_or_default()
            .split_whitespace()
            .count();
    }
    count
}

fn a_call_returns() {
    let host = Served::start(2);
    let mut client = host.connect();
    for n in 0..10 {
        assert_eq!(
            client.call("fake.echo", n),
            Outcome::Returned(peer::value(n))
        );
    }
    let big = vec![7; 5 << 20];
    client.send_call(99, "fake.echo", &big, None);
    assert!(matches!(client.outcome(99), Outcome::Returned(value) if value.body == big));
    host.stop(Stop::Drain);
}

fn denials_say_why() {
    let host = Served::start(1);
    let mut client = host.connect();
    for (target, reason, words) in [
        (
            "fake.ecko",
            DeniedReason::UnknownFunction,
            "did you mean echo?",
        ),
        (
            "fqke.echo",
            DeniedReason::UnknownModule,
            "did you mean fake?",
        ),
        (
            "fake.twice",
            DeniedReason::Ambiguous,
            "fake.a.twice, fake.b.twice",
        ),
        ("fake.never", DeniedReason::Unsupported, "for a reason"),
        ("fake", DeniedReason::UnknownFunction, "fake.function"),
    ] {
        match client.call(target, 1) {
            Outcome::Denied(denied) => {
                assert_eq!(denied.reason, reason);
                assert!(denied.message.contains(words), "{}", denied.message);
            }
            other => panic!("{target}: {other:?}"),
        }
    }
    host.stop(Stop::Drain);
}

fn a_dead_worker_is_told_and_replaced() {
    let host = Served::start(1);
    let mut client = host.connect();
    client.send_call(1, "fake.hang", b"x", None);
    client.send_call(2, "fake.abort", b"x", None);
    for call in [1, 2] {
        match client.outcome(call) {
            Outcome::Faulted(fault) => {
                assert_eq!(fault.cause, FaultCause::Signal(6));
                assert!(fault.message.contains("SIGABRT"), "{}", fault.message);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        client.call("fake.echo", 3),
        Outcome::Returned(peer::value(3))
    );
    let ended = client.last_ended();
    assert_eq!(ended.worker.map(|worker| worker.generation), Some(2));
    match client.call("fake.lie", 1) {
        Outcome::Faulted(fault) => assert_eq!(fault.cause, FaultCause::Protocol),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        client.call("fake.echo", 5),
        Outcome::Returned(peer::value(5))
    );
    host.stop(Stop::Drain);
}

fn deadlines_and_cancels_are_answered() {
    let host = Served::start(1);
    let mut client = host.connect();
    let began = Instant::now();
    client.send_call(1, "fake.hang", b"x", Some(Duration::from_millis(100)));
    assert_eq!(client.outcome(1), Outcome::TimedOut { dispatched: true });
    assert!(began.elapsed() < Duration::from_secs(1));
    client.send_call(2, "fake.hang", b"x", None);
    client.send(Message::Cancel { call: 2 });
    assert_eq!(client.outcome(2), Outcome::Cancelled { dispatched: true });
    assert_eq!(
        client.call("fake.echo", 3),
        Outcome::Returned(peer::value(3))
    );
    host.stop(Stop::Drain);
}

fn a_worker_that_does_not_let_go_is_killed() {
    let host = Served::start(1);
    let mut client = host.connect();
    client.send_call(1, "fake.deaf", b"x", Some(Duration::from_millis(1)));
    client.send_call(2, "fake.hang", b"x", None);
    assert_eq!(client.outcome(1), Outcome::TimedOut { dispatched: true });
    match client.outcome(2) {
        Outcome::Faulted(fault) => assert_eq!(fault.cause, FaultCause::Unresponsive),
        other => panic!("{other:?}"),
    }
    host.stop(Stop::Drain);
}

fn streams_and_callbacks_cross() {
    let host = Served::start(1);
    let mut client = host.connect();
    client.send_call(1, "fake.count", b"x", None);
    assert!(matches!(client.outcome(1), Outcome::Returned(value) if value.attachments.len() == 1));
    let mut items = 0;
    loop {
        match client.receive() {
            Message::Items {
                call: 1,
                stream: 1,
                count,
                ..
            } => {
                items += count;
                client.send(Message::Credit {
                    call: 1,
                    stream: 1,
                    items: count,
                    bytes: 100,
                });
            }
            Message::End {
                call: 1,
                stream: 1,
                failure,
            } => {
                assert_eq!(failure, None);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(items, 1000);
    client.send_call(2, "fake.ask", b"what", None);
    match client.receive() {
        Message::Callback {
            call: 2,
            callback,
            origin,
            payload,
        } => {
            assert_eq!(payload, &b"what"[..]);
            assert_eq!(origin.unwrap().module, "fake");
            let answer = Answer::Value((&b"that"[..]).into());
            client.send(Message::Answer {
                call: 2,
                callback,
                answer,
            });
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(client.outcome(2), Outcome::Returned(value) if value.body == b"that"[..]));
    host.stop(Stop::Drain);
}

fn modules_come_and_go() {
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
        thread::sleep(Duration::from_millis(5));
    }
    host.stop(Stop::Drain);
}

fn explicit_modules_that_do_not_load_stop_the_start() {
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

fn strangers_are_refused() {
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

fn logs_are_kept_and_followed() {
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

fn stopping_lets_calls_end_and_a_second_stop_does_not() {
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

fn an_owner_takes_the_host_along() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path().join("h.sock"));
    let (owner, held) = std::os::unix::net::UnixStream::pair().unwrap();
    options.owner = Some(owner.into());
    let (_stopper, source) = StopSource::channel();
    let launcher = Launcher::start().unwrap();
    run(options, launcher, source, |_| drop(held)).unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// Not a test: calls per second through real processes, with no work in them.
fn throughput(window: usize, calls: usize) {
    let host = Served::start(2);
    let mut client = host.connect();
    let began = Instant::now();
    client.pipeline("fake.echo", window, calls);
    let took = began.elapsed();
    println!(
        "window {window}: {:.0} calls/s",
        calls as f64 / took.as_secs_f64()
    );
    host.stop(Stop::Now);
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("launcher") => return proc_host_jail::launcher_main(),
        Some("worker") => return roles::worker(),
        Some("compile") => return roles::compiler(),
        Some("throughput") => {
            throughput(1, 20_000);
            throughput(256, 500_000);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let tests: &[(&str, fn())] = &[
        ("a_call_returns", a_call_returns),
        ("denials_say_why", denials_say_why),
        (
            "a_dead_worker_is_told_and_replaced",
            a_dead_worker_is_told_and_replaced,
        ),
        (
            "deadlines_and_cancels_are_answered",
            deadlines_and_cancels_are_answered,
        ),
        (
            "a_worker_that_does_not_let_go_is_killed",
            a_worker_that_does_not_let_go_is_killed,
        ),
        ("streams_and_callbacks_cross", streams_and_callbacks_cross),
        ("modules_come_and_go", modules_come_and_go),
        (
            "explicit_modules_that_do_not_load_stop_the_start",
            explicit_modules_that_do_not_load_stop_the_start,
        ),
        ("strangers_are_refused", strangers_are_refused),
        ("logs_are_kept_and_followed", logs_are_kept_and_followed),
        (
            "stopping_lets_calls_end_and_a_second_stop_does_not",
            stopping_lets_calls_end_and_a_second_stop_does_not,
        ),
        (
            "an_owner_takes_the_host_along",
            an_owner_takes_the_host_along,
        ),
    ];
    // One after the other: each looks at the processes that are left.
    for (name, test) in tests {
        if arguments
            .first()
            .is_none_or(|filter| name.contains(filter.as_str()))
        {
            println!("test {name}");
            test();
        }
    }
    assert!(Path::new("/proc/self").exists());
    ExitCode::SUCCESS
}
