//! Guests that go wrong: what the caller is told, and that nobody else is harmed.

use proc_host_tests::processes::eventually;

use crate::setup::{Spawned, host, host_with, json, running, workers};

#[test]
fn a_backtrace_holds_the_names_of_functions() {
    let host = host(&["math", "faults", "generators"]);
    for (call, reason, functions) in [
        (
            "math.crash(\"on purpose\")",
            "wasm `unreachable` instruction executed",
            &["math::math::crash", "crash"][..],
        ),
        (
            "faults.panic-deep(3)",
            "wasm `unreachable` instruction executed",
            &["faults::faults::descend", "panic-deep"],
        ),
        (
            "faults.unreachable()",
            "wasm `unreachable` instruction executed",
            &["unreachable"],
        ),
        (
            "faults.wild-read()",
            "out of bounds memory access",
            &["wild-read"],
        ),
        (
            "faults.overflow-stack(0)",
            "call stack exhausted",
            &["faults::faults::recurse"],
        ),
        (
            "faults.overflow-memory-stack()",
            "call stack exhausted",
            &["faults::faults::recurse_in_memory"],
        ),
        (
            "faults.exit(3)",
            "the guest exited with status 1",
            &["exit"],
        ),
        (
            "faults.exit(0)",
            "the guest exited with status 0",
            &["exit"],
        ),
        (
            "faults.abort()",
            "wasm `unreachable` instruction executed",
            &["abort"],
        ),
        (
            "faults.out-of-bounds(7)",
            "wasm `unreachable` instruction executed",
            &["core::panicking::panic_bounds_check", "out-of-bounds"],
        ),
    ] {
        let why = host.call(call).fails(11);
        let name = call.split_once('(').unwrap().0;
        let head =
            format!("error: {name} in pool Workers, worker 0 (generation 1) trapped: {reason}\n");
        assert!(why.starts_with(&head), "{call}: {why}");
        let frames: Vec<&str> = why
            .lines()
            .skip(1)
            .map(|line| {
                line.split_once(": ")
                    .unwrap()
                    .1
                    .split_once(" in ")
                    .unwrap()
                    .0
            })
            .collect();
        for function in functions {
            assert!(frames.contains(function), "{function} is not in {why}");
        }
        assert_eq!(
            host.call("faults.ping()").ok(),
            "\"pong\"\n",
            "after {call}"
        );
    }
    let deep = host
        .run(&["call", "Workers", "faults.panic-deep(3)", "--json"])
        .fails(11);
    let frames = json(&deep)["backtrace"].clone();
    let descents = frames
        .as_array()
        .unwrap()
        .iter()
        .filter(|name| **name == "faults::faults::descend");
    assert_eq!(descents.count(), 4);
    assert_eq!(workers(&host)[0]["generation"], 1);
    host.stop();
}

#[test]
fn a_trap_ends_the_instance_and_the_next_call_has_a_new_one() {
    let host = host(&["faults", "math"]);
    assert_eq!(host.call("faults.calls()").ok(), "1\n");
    assert_eq!(host.call("faults.calls()").ok(), "2\n");
    assert_eq!(host.call("math.next-id()").ok(), "1\n");
    host.call("faults.panic(\"oh\")").fails(11);
    assert_eq!(host.call("faults.calls()").ok(), "1\n");
    // Raising is no trap.
    host.call("faults.raise(\"oh\")").fails(10);
    assert_eq!(host.call("faults.calls()").ok(), "2\n");
    assert_eq!(host.call("math.next-id()").ok(), "2\n");
    host.stop();
}

#[test]
fn calls_that_share_the_instance_are_told() {
    let host = host(&["faults", "sleepers"]);
    let wait = |call: &str| Spawned::new(&mut host.command(&["call", "Workers", call]));
    let neighbours = [
        wait("faults.wait(3600000)"),
        wait("faults.pending-forever()"),
    ];
    let stranger = wait("sleepers.sleep(1000)");
    eventually("all run", || running(&host) == 3);
    let why = host.call("faults.trap-after(10)").fails(11);
    assert!(
        why.contains("faults.trap-after in pool Workers, worker 0 (generation 1) trapped"),
        "{why}"
    );
    for (neighbour, name) in neighbours.into_iter().zip(["wait", "pending-forever"]) {
        let why = neighbour.finish().fails(11);
        assert!(
            why.starts_with(&format!("error: faults.{name} in pool Workers")),
            "{why}"
        );
        assert!(why.contains("another call"), "{why}");
    }
    assert_eq!(stranger.finish().ok(), "1\n");
    assert_eq!(host.call("faults.wait(1)").ok(), "1\n");
    assert_eq!(workers(&host)[0]["generation"], 1);
    host.stop();
}

#[test]
fn calls_in_instances_of_their_own_are_not_told() {
    let host = host_with(&["--pool", "Workers=1", "--isolate"], &["faults"]);
    let neighbour = Spawned::new(&mut host.command(&["call", "Workers", "faults.wait(1000)"]));
    eventually("it runs", || running(&host) == 1);
    host.call("faults.panic(\"oh\")").fails(11);
    host.run(&["call", "Workers", "faults.spin()", "--timeout", "100ms"])
        .fails(13);
    assert_eq!(neighbour.finish().ok(), "1000\n");
    host.stop();
}

#[test]
fn calls_that_share_an_instance_with_one_that_never_yields_are_told() {
    let host = host(&["faults", "math"]);
    let neighbour = Spawned::new(&mut host.command(&["call", "Workers", "faults.wait(3600000)"]));
    eventually("it runs", || running(&host) == 1);
    host.run(&["call", "Workers", "faults.spin()", "--timeout", "200ms"])
        .fails(13);
    let why = neighbour.finish().fails(11);
    assert!(
        why.contains("faults.wait in pool Workers, worker 0"),
        "{why}"
    );
    assert_eq!(host.call("faults.calls()").ok(), "1\n");
    assert_eq!(host.call("math.add(1, 2)").ok(), "3\n");
    host.stop();
}

#[test]
fn a_guest_takes_no_more_memory_than_it_may() {
    let host = host(&["faults"]);
    let why = host.call("faults.exhaust-memory(1000000)").fails(11);
    assert!(why.contains("exhaust-memory"), "{why}");
    assert_eq!(host.call("faults.hoard(4000000000)").ok(), "false\n");
    assert_eq!(host.call("faults.hoard(1000000)").ok(), "true\n");
    assert_eq!(workers(&host)[0]["generation"], 1);
    host.stop();
}

#[test]
fn a_trap_while_reading_a_stream_ends_the_call() {
    let host = host(&["faults"]);
    let why = host.call("faults.trap-reading([1, 2, 3])").fails(11);
    assert!(why.contains("faults.trap-reading in pool Workers"), "{why}");
    assert_eq!(host.call("faults.ignore([1, 2, 3], 1)").ok(), "1\n");
    assert_eq!(host.call("faults.ping()").ok(), "\"pong\"\n");
    host.stop();
}

#[test]
fn what_a_guest_says_before_it_traps_is_in_the_log() {
    let host = host(&["math", "printer"]);
    host.call("math.crash(\"on purpose\")").fails(11);
    host.call("printer.last-words(\"farewell\")").fails(11);
    let logs = host.run(&["logs"]).ok();
    assert!(
        logs.lines()
            .any(|line| line.contains("stderr Workers/0 math.crash #1: on purpose")),
        "{logs}"
    );
    let stdout = "stdout Workers/0 printer.last-words #2: farewell";
    assert!(logs.lines().any(|line| line.ends_with(stdout)), "{logs}");
    let stderr = "stderr Workers/0 printer.last-words #2: farewell";
    assert!(logs.lines().any(|line| line.ends_with(stderr)), "{logs}");
    host.stop();
}
