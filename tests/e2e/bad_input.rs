//! What users and clients get wrong: a clear error each, and no harm to anybody else.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use proc_host_tests::processes::{PATIENCE, eventually};
use proc_host_tests::{Host, guest};
use proc_host_wire::control::Request;
use proc_host_wire::{Inbox, Link, Message, Outbox, WIRE_MAJOR};

use crate::setup::{Spawned, host, host_with, json, running, text, workers};

#[test]
fn unknown_names_are_denied_with_what_there_is() {
    let host = host(&["math", "types"]);
    for (arguments, why) in [
        (
            ["call", "Worker", "math.add(1, 2)"],
            "no pool is named Worker; did you mean Workers? (the pools are Workers)",
        ),
        (
            ["call", "Nobody", "math.add(1, 2)"],
            "no pool is named Nobody (the pools are Workers)",
        ),
        (
            ["call", "Workers", "maths.add(1, 2)"],
            "pool Workers has no module maths; did you mean math? (its modules are math, types)",
        ),
        (
            ["call", "Workers", "add(1, 2)"],
            "pool Workers has no module add (its modules are math, types)",
        ),
        (
            ["call", "Workers", "math.ad(1, 2)"],
            "module math has no function ad; did you mean add? (its functions are add, crash, \
             divide, extent, factorial, fib, mean, next-id, square)",
        ),
        (
            ["call", "Workers", "math.api.add(1, 2)"],
            "module math has no function api.add",
        ),
        (
            ["call", "Workers", "types.echo-strin(\"x\")"],
            "module types has no function echo-strin; did you mean",
        ),
    ] {
        let said = host.run(&arguments).fails(15);
        assert!(
            said.starts_with(&format!("error: {why}")),
            "{arguments:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
        let as_json = host.run(&[&arguments[..], &["--json"]].concat()).fails(15);
        let error = json(&as_json);
        assert_eq!(error["error"], "denied");
        assert!(
            error["message"].as_str().unwrap().starts_with(why),
            "{as_json}"
        );
    }
    assert_eq!(host.call("math.add(1, 2)").ok(), "3\n");
    host.stop();
}

#[test]
fn a_worker_that_does_not_exist_is_denied() {
    let host = host_with(&["--pool", "Workers=2"], &["math"]);
    for worker in ["2", "4294967295"] {
        let why = host
            .run(&["call", "Workers", "math.add(1, 2)", "--worker", worker])
            .fails(15);
        let expected = format!(
            "error: math.add in pool Workers was denied: pool Workers has no worker {worker}: its \
             workers are 0 to 1\n"
        );
        assert_eq!(why, expected);
    }
    for worker in ["-1", "x", "4294967296"] {
        let arguments = [
            "call",
            "Workers",
            "math.add(1, 2)",
            &format!("--worker={worker}"),
        ];
        let why = host.run(&arguments).fails(2);
        assert!(why.contains("--worker <N>"), "{why}");
    }
    host.stop();
}

#[test]
fn wrong_arguments_are_told_with_a_caret_and_the_signature() {
    let host = host(&["math", "types"]);
    let add = "add: func(a: s64, b: s64) -> s64";
    for (call, column, what, signature) in [
        ("math.add(1)", 10, "expected 2 arguments, found 1", add),
        (
            "math.add(1, 2, 3)",
            15,
            "expected 2 arguments, found 3",
            add,
        ),
        ("math.add()", 9, "expected 2 arguments, found 0", add),
        (
            "math.add(\"x\", 2)",
            9,
            "argument 1 \"a\": expected s64, found a string",
            add,
        ),
        (
            "math.add(40, two)",
            13,
            "argument 2 \"b\": expected s64, found a name",
            add,
        ),
        (
            "math.add(1.5, 2)",
            9,
            "argument 1 \"a\": expected s64, found a number",
            add,
        ),
        (
            "types.echo-u8(256)",
            14,
            "argument 1 \"value\": 256 is out of range for u8",
            "echo-u8: func(value: u8) -> u8",
        ),
        (
            "types.echo-enum(sad)",
            16,
            "argument 1 \"value\": expected enum mood { calm, happy, angry }, found a name",
            "echo-enum: func(value: mood) -> mood",
        ),
        (
            "types.echo-record({x: 1})",
            18,
            "argument 1 \"value\": field `y` is missing: expected record point { x: f64, y: f64 }",
            "echo-record: func(value: point) -> point",
        ),
        (
            "types.echo-record({x: 1, z: 2})",
            18,
            "argument 1 \"value\": no field `z`: expected record point { x: f64, y: f64 }",
            "echo-record: func(value: point) -> point",
        ),
    ] {
        let why = host.call(call).fails(2);
        let lines: Vec<&str> = why.lines().collect();
        assert_eq!(lines[0], format!("error: {what}"), "{call}");
        assert_eq!(lines[1], format!("  {call}"));
        assert_eq!(lines[2].find('^'), Some(2 + column), "{why}");
        assert_eq!(lines[3], format!("  {signature}"));
    }
    assert_eq!(running(&host), 0);
    assert_eq!(workers(&host)[0]["done"], 0);
    host.stop();
}

#[test]
fn malformed_calls_are_told_with_a_caret() {
    let host = host(&["math", "types"]);
    for (call, column, what) in [
        (
            "math.add(1, 2",
            13,
            "the text ends inside of a value: is a bracket not closed?",
        ),
        (
            "math.add(",
            9,
            "the text ends inside of a value: is a bracket not closed?",
        ),
        (
            "math.add",
            8,
            "expected `(` and arguments behind the function's name",
        ),
        ("math.add(1 2)", 11, "did not expect `2` here"),
        ("math.add(1,2) x", 14, "text behind the call"),
        (
            "types.echo-string(\"abc)",
            18,
            "`\"abc)` is not part of any value",
        ),
        (
            "types.echo-char('ab')",
            16,
            "`'ab'` is not part of any value",
        ),
    ] {
        let why = host.call(call).fails(2);
        let lines: Vec<&str> = why.lines().collect();
        assert_eq!(lines[0], format!("error: {what}"), "{call}");
        assert_eq!(lines[1], format!("  {call}"));
        assert_eq!(lines[2].find('^'), Some(2 + column), "{why}");
    }
    host.stop();
}

#[test]
fn malformed_json_is_told_with_a_caret_and_wrong_json_with_the_signature() {
    let host = host(&["math"]);
    let message = |arguments: &str| {
        let ran = host.run(&["call", "Workers", "math.add", "--json", arguments]);
        let error = json(&ran.fails(2));
        assert_eq!(error["error"], "usage");
        error["message"].as_str().unwrap().to_owned()
    };
    for (arguments, column) in [("[1", 1), ("[1, 2,]", 6), ("{\"a\" 1}", 5)] {
        let why = message(arguments);
        let lines: Vec<&str> = why.lines().collect();
        assert!(lines[0].starts_with("malformed JSON: "), "{why}");
        assert_eq!(lines[1], format!("  {arguments}"));
        assert_eq!(lines[2].find('^'), Some(2 + column), "{why}");
    }
    for (arguments, what) in [
        ("[1]", "expected 2 arguments, found 1"),
        ("[1, \"x\"]", "argument 2 \"b\": expected s64, found a text"),
        ("[1, 1.5]", "argument 2 \"b\": expected s64, found 1.5"),
        ("{\"a\": 1}", "argument 2 \"b\" is missing"),
        ("{\"a\": 1, \"c\": 2}", "no parameter is called `c`"),
        (
            "[1, 9223372036854775808]",
            "argument 2 \"b\": 9223372036854775808 is out of range for s64",
        ),
    ] {
        let expected = format!("{what}\n  add: func(a: s64, b: s64) -> s64");
        assert_eq!(message(arguments), expected, "{arguments}");
    }
    host.stop();
}

#[test]
fn a_bad_argument_does_not_touch_the_shared_instance() {
    let host = host(&["types", "sleepers", "echo"]);
    let sleeper = Spawned::new(&mut host.command(&["call", "Workers", "sleepers.sleep(500)"]));
    eventually("it runs", || running(&host) == 1);
    assert_eq!(host.call("echo.calls()").ok(), "1\n");
    for call in [
        "sleepers.sleep(-1)",
        "sleepers.sleep(\"x\")",
        "echo.text(1)",
        "echo.many(1)",
    ] {
        host.call(call).fails(2);
    }
    assert_eq!(host.call("echo.calls()").ok(), "2\n");
    assert_eq!(sleeper.finish().ok(), "1\n");
    host.stop();
}

#[test]
fn wrong_usage_is_told_apart_from_everything_else() {
    let host = host(&["math"]);
    for (arguments, what) in [
        (
            &["call"][..],
            "the pool and the function to call are missing",
        ),
        (&["call", "Workers"], "the function to call is missing"),
        (
            &["call", "Workers", "math.add(1, 2)", "--timeout", "5 weeks"],
            "`5 weeks` is no duration",
        ),
        (
            &["call", "Workers", "math.add(1, 2)", "--no-such-option"],
            "--no-such-option",
        ),
        (
            &["call", "Workers", "math.add(1, 2)", "--json", "[1, 2]"],
            "the arguments are given twice",
        ),
        (
            &["exec"],
            "the component and the function to call are missing",
        ),
        (&["run", "--pool", "a.b=1"], "`a.b` is no name for a pool"),
        (&["run", "--pool", "a=0"], "write NAME=N, N at least 1"),
        (&["no-such-command"], "no-such-command"),
        (
            &["new", "Not A Name"],
            "`Not A Name` is no name for a guest",
        ),
    ] {
        let why = host.run(arguments).fails(2);
        assert!(
            why.starts_with("error: ") || json(&why)["error"] == "usage",
            "{arguments:?}: {why}"
        );
        assert!(why.contains(what), "{arguments:?}: {why}");
    }
    host.stop();
}

#[test]
fn a_result_over_the_limit_is_an_error_of_that_call() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("proc-host.toml");
    let modules = ["echo", "math"].map(|name| text(&guest(name)));
    let pool = format!(
        "[[pool]]\nname = \"Workers\"\nslots = 1\nmodules = {modules:?}\nlimits = {{ memory = \
         \"512MiB\" }}\n"
    );
    fs::write(&manifest, pool).unwrap();
    let host = Host::start(&["--config", &text(&manifest)]);
    let ran = host.call("echo.source(67108865)");
    assert_eq!(ran.stdout, "");
    let why = ran.fails(11);
    assert!(
        why.contains("value takes more than 67108864 bytes"),
        "{why}"
    );
    assert_eq!(host.call("echo.source(1)").ok(), "[0]\n");
    assert_eq!(workers(&host)[0]["generation"], 1);
    host.stop();
}

/// A connection that says `bytes` and no more.
fn say(host: &Host, bytes: &[u8]) -> UnixStream {
    let mut socket = UnixStream::connect(host.socket()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // A host that has seen enough may hang up before all is written.
    let _ = socket.write_all(bytes);
    socket
}

/// All that the host says until it hangs up.
fn farewell(mut socket: UnixStream) -> Vec<Message> {
    let mut bytes = Vec::new();
    if let Err(error) = socket.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let mut inbox = Inbox::default();
    inbox.feed(&bytes);
    let frames = std::iter::from_fn(|| inbox.next_frame().unwrap());
    frames
        .map(|frame| Message::from_frame(Link::HostToClient, frame).unwrap())
        .collect()
}

fn encoded(message: Message) -> Vec<u8> {
    let mut outbox = Outbox::default();
    outbox.push(message).unwrap();
    let mut bytes = Vec::new();
    outbox.fill(&mut bytes);
    bytes
}

/// The token beside the socket.
fn token(host: &Host) -> [u8; 32] {
    let text = fs::read_to_string(host.socket().with_file_name("host.sock.token")).unwrap();
    let digits = text.trim();
    std::array::from_fn(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
}

fn hello(major: u16, token: [u8; 32]) -> Vec<u8> {
    encoded(Message::Hello {
        major,
        features: 0,
        token,
        name: "a test".to_owned(),
    })
}

#[test]
fn clients_that_are_none_are_refused_and_others_go_on() {
    let host = host(&["sleepers", "math"]);
    let sleep = ["call", "Workers", "sleepers.sleep(1000)"];
    let sleeper = Spawned::new(&mut host.command(&sleep));
    eventually("it runs", || running(&host) == 1);
    let right = token(&host);
    let refused: [(&str, Vec<u8>, &str); 7] = [
        ("the token is another", hello(WIRE_MAJOR, [7; 32]), "token"),
        (
            "the version is another",
            hello(WIRE_MAJOR + 1, right),
            "version",
        ),
        (
            "it speaks HTTP",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            "",
        ),
        (
            "it is noise",
            (0..4096)
                .map(|at: u32| at.wrapping_mul(2654435761).to_be_bytes()[0])
                .collect(),
            "",
        ),
        (
            "it asks before it greets",
            encoded(Message::Request {
                id: 1,
                request: Request::Ps,
                payload: Default::default(),
            }),
            "",
        ),
        (
            "it greets twice",
            [hello(WIRE_MAJOR, right), hello(WIRE_MAJOR, right)].concat(),
            "",
        ),
        (
            "it speaks as a worker",
            [hello(WIRE_MAJOR, right), encoded(Message::Drain)].concat(),
            "",
        ),
    ];
    for (what, bytes, why) in refused {
        let messages = farewell(say(&host, &bytes));
        let refusal = messages.iter().find_map(|message| match message {
            Message::Refused(why) => Some(why.clone()),
            _ => None,
        });
        assert!(
            refusal.as_ref().is_some_and(|said| said.contains(why)),
            "{what}: {messages:?}"
        );
        assert_eq!(host.call("math.add(40, 2)").ok(), "42\n", "{what}");
    }
    assert_eq!(sleeper.finish().ok(), "1\n");
    assert_eq!(host.call("math.next-id()").ok(), "1\n");
    host.stop();
}

#[test]
fn a_client_that_says_nothing_is_sent_away() {
    let host = host(&["math"]);
    let silent = say(&host, b"");
    let halting = say(&host, &hello(WIRE_MAJOR, token(&host))[..20]);
    assert_eq!(host.call("math.add(40, 2)").ok(), "42\n");
    for socket in [silent, halting] {
        let messages = farewell(socket);
        assert!(
            !messages
                .iter()
                .any(|message| matches!(message, Message::Welcome { .. }))
        );
    }
    assert_eq!(host.call("math.add(40, 2)").ok(), "42\n");
    host.stop();
}

#[test]
fn a_client_that_hangs_up_half_way_is_no_matter() {
    let host = host(&["math"]);
    let whole = hello(WIRE_MAJOR, token(&host));
    for length in [0, 1, 31, 32, whole.len() - 1, whole.len()] {
        let socket = say(&host, &whole[..length]);
        socket.shutdown(Shutdown::Both).unwrap();
    }
    assert_eq!(host.call("math.add(40, 2)").ok(), "42\n");
    host.stop();
}

#[test]
fn a_token_that_is_changed_keeps_clients_out() {
    let host = host(&["math"]);
    let file = host.socket().with_file_name("host.sock.token");
    let right = fs::read(&file).unwrap();
    fs::write(&file, "0".repeat(64)).unwrap();
    let why = host.call("math.add(1, 2)").fails(1);
    assert!(
        why.starts_with("error: the host refused the connection: "),
        "{why}"
    );
    assert!(why.contains("token"), "{why}");
    fs::write(&file, "no token").unwrap();
    let why = host.call("math.add(1, 2)").fails(1);
    assert_eq!(
        why,
        format!("error: {} does not hold a token\n", file.display())
    );
    fs::write(&file, right).unwrap();
    assert_eq!(host.call("math.add(1, 2)").ok(), "3\n");
    host.stop();
}
