//! Plain and async calls through the command line, and how each of them can end.

use std::time::{Duration, Instant};

use proc_host_tests::processes::{children, eventually, kill};

use rustix::process::Signal;

use crate::setup::{Spawned, host, host_with, json, running, workers};

#[test]
fn a_function_returns_its_value() {
    let host = host_with(&["--pool", "Workers=3"], &["math"]);
    assert_eq!(host.call("math.add(40, 2)").ok(), "42\n");
    assert_eq!(host.call("math.mean([1, 2, 6])").ok(), "some(3)\n");
    assert_eq!(host.call("math.mean([])").ok(), "none\n");
    assert_eq!(
        host.call("math.extent([2, -1, 3])").ok(),
        "{low: -1, high: 3}\n"
    );
    host.stop();
}

#[test]
fn arguments_are_given_in_json_by_position_or_by_name() {
    let host = host(&["math"]);
    for arguments in [
        ["call", "Workers", "math.add", "--json", "[40, 2]"],
        [
            "call",
            "Workers",
            "math.add",
            "--json",
            r#"{"b": 2, "a": 40}"#,
        ],
        ["call", "Workers", "--json", "[40, 2]", "math.add"],
        ["call", "--json", "[40, 2]", "Workers", "math.add"],
    ] {
        assert_eq!(host.run(&arguments).ok(), "42\n", "{arguments:?}");
    }
    host.stop();
}

#[test]
fn json_without_arguments_only_prints_json() {
    let host = host(&["math"]);
    for arguments in [
        ["call", "Workers", "math.extent([1])", "--json"],
        ["call", "Workers", "--json", "math.extent([1])"],
        ["call", "--json", "Workers", "math.extent([1])"],
    ] {
        assert_eq!(
            host.run(&arguments).ok(),
            "{\"low\":1.0,\"high\":1.0}\n",
            "{arguments:?}"
        );
    }
    host.stop();
}

#[test]
fn a_function_without_a_result_prints_nothing() {
    let host = host(&["types", "echo"]);
    for call in [
        "types.nothing()",
        "echo.nothing()",
        "echo.nothing-async()",
        "types.demand(calm)",
    ] {
        assert_eq!(host.call(call).ok(), "", "{call}");
        assert_eq!(
            host.run(&["call", "Workers", call, "--json"]).ok(),
            "null\n",
            "{call}"
        );
    }
    host.stop();
}

#[test]
fn async_functions_run_beside_each_other_in_one_instance() {
    let host = host(&["sleepers"]);
    assert_eq!(host.call("sleepers.sleep(1)").ok(), "1\n");
    let sleepers: Vec<Spawned> = (0..4)
        .map(|_| Spawned::new(&mut host.command(&["call", "Workers", "sleepers.sleep(1500)"])))
        .collect();
    eventually("all four sleep", || {
        host.call("sleepers.asleep()").ok() == "4\n"
    });
    let mut order: Vec<String> = sleepers
        .into_iter()
        .map(|sleeper| sleeper.finish().ok())
        .collect();
    order.sort();
    assert_eq!(order, ["2\n", "3\n", "4\n", "5\n"]);
    host.stop();
}

#[test]
fn a_raised_error_is_printed_and_has_its_own_exit_code() {
    let host = host(&["math", "types", "echo", "values"]);
    for (call, raised) in [
        ("math.divide(1, 0)", "\"cannot divide 1 by zero\""),
        ("math.extent([])", "empty"),
        ("math.extent([nan])", "not-a-number"),
        ("types.demand(angry)", "circle(1.5)"),
        ("types.refuse()", "an error without a value"),
        ("echo.raise(some(\"no\"))", "\"no\""),
        ("echo.raise-shape(pair((1, \"a\")))", "pair((1, \"a\"))"),
        ("values.only-raises(not-found)", "not-found"),
        ("values.only-fails(true)", "an error without a value"),
    ] {
        let function = call.split_once('(').unwrap().0;
        assert_eq!(
            host.call(call).fails(10),
            format!("error: {function} in pool Workers, worker 0 (generation 1) raised {raised}\n")
        );
    }
    assert_eq!(host.call("math.divide(1, 4)").ok(), "0.25\n");
    assert_eq!(host.call("echo.raise(none)").ok(), "0\n");
    host.stop();
}

#[test]
fn an_error_is_json_where_json_is_asked_for() {
    let host = host(&["types", "math"]);
    let error = host
        .run(&["call", "Workers", "types.demand(angry)", "--json"])
        .fails(10);
    let error = json(&error);
    assert_eq!(error["error"], "raised");
    assert_eq!(error["function"], "types.demand");
    assert_eq!(error["pool"], "Workers");
    assert_eq!(
        (&error["worker"], &error["generation"]),
        (&json("0"), &json("1"))
    );
    assert_eq!(error["value"], json(r#"{"circle": 1.5}"#));
    let error = json(
        &host
            .run(&["call", "Workers", "math.crash(\"oh\")", "--json"])
            .fails(11),
    );
    assert_eq!(error["error"], "trapped");
    assert_eq!(error["reason"], "wasm `unreachable` instruction executed");
    let frames = error["backtrace"].as_array().unwrap();
    assert!(frames.contains(&"math::math::crash".into()), "{frames:?}");
    host.stop();
}

#[test]
fn a_call_runs_on_the_worker_it_names() {
    let host = host_with(&["--pool", "Workers=3"], &["math", "callback"]);
    for worker in ["0", "1", "2"] {
        let ran = host.run(&[
            "call",
            "Workers",
            "callback.whereabouts()",
            "--worker",
            worker,
        ]);
        assert_eq!(
            ran.ok(),
            format!("\"Workers.callback on worker {worker}\"\n")
        );
    }
    let next = |worker| {
        host.run(&["call", "Workers", "math.next-id()", "--worker", worker])
            .ok()
    };
    assert_eq!(
        (next("1"), next("1"), next("2"), next("1")),
        ("1\n".into(), "2\n".into(), "1\n".into(), "3\n".into())
    );
    host.stop();
}

#[test]
fn a_call_times_out_whether_its_guest_works_or_waits() {
    let host = host(&["faults", "math"]);
    for function in [
        "spin()",
        "spin-async()",
        "spin-after(1)",
        "sleep-forever()",
        "pending-forever()",
    ] {
        let call = format!("faults.{function}");
        let begin = Instant::now();
        let why = host
            .run(&["call", "Workers", &call, "--timeout", "200ms"])
            .fails(13);
        let name = call.split_once('(').unwrap().0;
        assert!(
            why.starts_with(&format!("error: {name} in pool Workers, worker 0")),
            "{why}"
        );
        assert!(why.contains("timed out"), "{why}");
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "{call} took {:?}",
            begin.elapsed()
        );
        assert_eq!(
            host.call("faults.ping()").ok(),
            "\"pong\"\n",
            "after {call}"
        );
        assert_eq!(host.call("math.add(1, 1)").ok(), "2\n", "after {call}");
    }
    host.stop();
}

#[test]
fn the_last_item_of_a_generator_is_due_by_its_deadline_too() {
    let host = host(&["faults", "ticker"]);
    let ran = host.run(&["call", "Workers", "faults.spin-at(2)", "--timeout", "300ms"]);
    assert_eq!(ran.stdout, "0\n1\n");
    ran.fails(13);
    let ran = host.run(&["call", "Workers", "faults.silent()", "--timeout", "100ms"]);
    assert_eq!(ran.stdout, "");
    ran.fails(13);
    assert_eq!(host.call("ticker.count(1)").ok(), "0\n");
    host.stop();
}

#[test]
fn an_interrupted_call_is_cancelled_and_its_neighbours_go_on() {
    let host = host(&["sleepers"]);
    let mut arguments = vec![
        "call",
        "Workers",
        "sleepers.sleep(3600000)",
        "--timeout",
        "none",
    ];
    for as_json in [false, true] {
        if as_json {
            arguments.push("--json");
        }
        let neighbour =
            Spawned::new(&mut host.command(&["call", "Workers", "sleepers.sleep(300)"]));
        let call = Spawned::new(&mut host.command(&arguments));
        eventually("both run", || running(&host) == 2);
        call.signal(Signal::INT);
        let why = call.finish().fails(14);
        assert!(
            why.contains("sleepers.sleep in pool Workers, worker 0"),
            "{why}"
        );
        assert!(why.contains("was cancelled"), "{why}");
        assert_eq!(json_error(&why).is_some(), as_json);
        neighbour.finish().ok();
        eventually("no call is left", || running(&host) == 0);
    }
    host.stop();
}

/// What kind of error it is, where it is JSON.
fn json_error(text: &str) -> Option<String> {
    let error: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(error["error"].as_str()?.to_owned())
}

#[test]
fn an_interrupted_call_that_works_ends_in_the_guest() {
    let host = host(&["faults"]);
    let call = ["call", "Workers", "faults.spin()", "--timeout", "none"];
    let call = Spawned::new(&mut host.command(&call));
    eventually("it runs", || running(&host) == 1);
    call.signal(Signal::INT);
    call.finish().fails(14);
    assert_eq!(host.call("faults.ping()").ok(), "\"pong\"\n");
    host.stop();
}

#[test]
fn a_call_whose_client_is_killed_is_let_go_of() {
    let host = host(&["sleepers", "faults"]);
    for function in ["sleepers.sleep(3600000)", "faults.spin()"] {
        let call = ["call", "Workers", function, "--timeout", "none"];
        let call = Spawned::new(&mut host.command(&call));
        eventually("it runs", || running(&host) == 1);
        call.signal(Signal::KILL);
        assert_eq!(call.finish().code, -1);
        eventually("no call is left", || running(&host) == 0);
        assert_eq!(host.call("faults.ping()").ok(), "\"pong\"\n");
    }
    host.stop();
}

#[test]
fn a_call_is_told_that_its_worker_died() {
    let host = host(&["sleepers"]);
    let call = Spawned::new(&mut host.command(&["call", "Workers", "sleepers.sleep(3600000)"]));
    eventually("it runs", || running(&host) == 1);
    let pid = workers(&host)[0]["pid"].as_u64().unwrap();
    kill(u32::try_from(pid).unwrap());
    let why = call.finish().fails(12);
    assert!(
        why.starts_with("error: sleepers.sleep in pool Workers, worker 0 (generation 1)"),
        "{why}"
    );
    assert_eq!(host.call("sleepers.asleep()").ok(), "0\n");
    let worker = &workers(&host)[0];
    assert_eq!(worker["generation"], 2);
    assert_ne!(worker["pid"], pid);
    host.stop();
}

#[test]
fn a_call_is_told_that_its_host_died() {
    let host = host(&["sleepers"]);
    let call = Spawned::new(&mut host.command(&["call", "Workers", "sleepers.sleep(3600000)"]));
    eventually("it runs", || running(&host) == 1);
    kill(host.pid());
    let why = call.finish().fails(16);
    assert!(why.contains("sleepers.sleep"), "{why}");
    eventually("its processes end with it", || {
        children(host.pid()).is_empty()
    });
}

#[test]
fn without_a_host_the_socket_that_was_tried_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock");
    for arguments in [
        &["call", "Workers", "math.add(1, 2)"][..],
        &["ps"],
        &["logs"],
        &["stop"],
        &["unload", "Workers", "math"],
        &["inspect", "Workers.math"],
    ] {
        let mut command = std::process::Command::new(proc_host_tests::binary());
        let ran = proc_host_tests::run(command.args(arguments).arg("--socket").arg(&socket));
        let why = ran.fails(3);
        assert!(
            why.starts_with("error: no host is listening on "),
            "{arguments:?}: {why}"
        );
        assert!(
            why.contains(socket.to_str().unwrap()),
            "{arguments:?}: {why}"
        );
        assert!(
            why.contains("hint: start one with `proc-host run`"),
            "{arguments:?}: {why}"
        );
    }
}

#[test]
fn a_second_interrupt_gives_a_call_up() {
    let host = host(&["sleepers"]);
    let call = [
        "call",
        "Workers",
        "sleepers.sleep(3600000)",
        "--timeout",
        "none",
    ];
    let mut call = Spawned::new(&mut host.command(&call));
    eventually("it runs", || running(&host) == 1);
    let pid = rustix::process::Pid::from_raw(i32::try_from(host.pid()).unwrap()).unwrap();
    // A host that is halted does not tell that the call is cancelled.
    rustix::process::kill_process(pid, Signal::STOP).unwrap();
    eventually("it has given up", || {
        call.signal(Signal::INT);
        call.has_ended()
    });
    rustix::process::kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(call.finish().fails(14), "error: interrupted\n");
    eventually("no call is left", || running(&host) == 0);
    host.stop();
}
