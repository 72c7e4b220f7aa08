//! Guests that ask their caller, and callers that answer by a command, by null, or not at all.

use proc_host_tests::Host;
use proc_host_tests::Ran;
use proc_host_tests::processes::eventually;

use crate::setup::{Spawned, host, json};

fn answered(host: &Host, call: &str, command: &str) -> Ran {
    host.run(&["call", "Workers", call, "--on-callback", command])
}

#[test]
fn a_command_answers_in_json() {
    let host = host(&["asker", "callback", "ownwit"]);
    for (call, command, printed) in [
        ("asker.none()", "false", "0\n"),
        ("asker.one(\"x\")", "cat", "callback: \"x\"\n\"x\"\n"),
        ("asker.one-async(\"x\")", "cat", "callback: \"x\"\n\"x\"\n"),
        (
            "asker.one(\"x\")",
            "printf '\"%s\"' y",
            "callback: \"x\"\n\"y\"\n",
        ),
        (
            "callback.greet([\"Ada\", \"Bo\"])",
            "echo '\"hello\"'",
            "callback: {\"name\":\"Ada\",\"left\":1}\ncallback: {\"name\":\"Bo\",\"left\":0}\n\
             [\"hello\", \"hello\"]\n",
        ),
        (
            "ownwit.hello-you()",
            "echo '\"Ada\"'",
            "callback: \"who are you?\"\n{text: \"hello Ada\", from-worker: 0}\n",
        ),
    ] {
        assert_eq!(answered(&host, call, command).ok(), printed, "{call}");
    }
    host.stop();
}

#[test]
fn every_kind_of_value_goes_there_and_back() {
    let host = host(&["asker"]);
    let printed = answered(&host, "asker.record()", "cat").ok();
    let question = printed.lines().next().unwrap();
    assert_eq!(
        question,
        "callback: {\"name\":\"Ada\",\"age\":36,\"height\":1.7,\"tags\":[\"a\",\"b\"],\
         \"photo\":[0,1,255],\"nothing\":null,\"sure\":true}"
    );
    let answer = printed.lines().nth(1).unwrap();
    for part in [
        "Text(\\\"Ada\\\")",
        "Integer(Integer(36))",
        "Float(1.7)",
        "Null",
        "Bool(true)",
    ] {
        assert!(answer.contains(part), "{part} is not in {answer}");
    }
    host.stop();
}

#[test]
fn without_a_command_the_answer_is_null() {
    let host = host(&["asker", "callback"]);
    assert_eq!(
        host.call("callback.collect()").ok(),
        "callback: \"next\"\n0\n"
    );
    let ran = host.call("asker.one(\"x\")");
    assert_eq!(ran.stdout, "callback: \"x\"\n");
    let why = ran.fails(10);
    assert!(
        why.contains("expected string") && why.contains("null"),
        "{why}"
    );
    host.stop();
}

#[test]
fn a_guest_may_ask_many_times_one_after_another_or_at_once() {
    let host = host(&["asker"]);
    for function in ["many", "many-async"] {
        let printed = answered(&host, &format!("asker.{function}(20)"), "cat").ok();
        let questions: Vec<String> = (0..20)
            .map(|number| format!("callback: {number}"))
            .collect();
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines[..20], questions, "{function}");
        assert_eq!(lines[20..], ["190"], "{function}");
    }
    let printed = answered(&host, "asker.parallel(20)", "cat").ok();
    let mut lines: Vec<&str> = printed.lines().collect();
    let numbers: Vec<String> = (0..20).map(|number: u32| number.to_string()).collect();
    assert_eq!(
        lines.pop(),
        Some(format!("[{}]", numbers.join(", ")).as_str())
    );
    let mut expected: Vec<String> = numbers
        .iter()
        .map(|number| format!("callback: {number}"))
        .collect();
    expected.sort();
    lines.sort_unstable();
    assert_eq!(lines, expected);
    host.stop();
}

#[test]
fn callbacks_asked_at_once_wait_for_their_answers_at_once() {
    let host = host(&["asker"]);
    let folder = tempfile::tempdir().unwrap();
    // Each command waits until all three have begun: one after another they never would.
    let command = format!(
        "cd '{}'; read number; : > \"$number\"; until [ -e 0 ] && [ -e 1 ] && [ -e 2 ]; do :; done; \
         echo \"$number\"",
        folder.path().display()
    );
    let printed = answered(&host, "asker.parallel(3)", &command).ok();
    assert_eq!(printed.lines().last(), Some("[0, 1, 2]"));
    host.stop();
}

#[test]
fn a_generator_may_ask_for_each_of_its_items() {
    let host = host(&["asker"]);
    let folder = tempfile::tempdir().unwrap();
    let command = format!(
        "cd '{}'; if [ -e b ]; then echo null; elif [ -e a ]; then : > b; echo 2; else : > a; echo 1; fi",
        folder.path().display()
    );
    let printed = answered(&host, "asker.items()", &command).ok();
    let mut lines: Vec<&str> = printed.lines().collect();
    assert_eq!(
        lines
            .iter()
            .filter(|line| **line == "callback: \"next\"")
            .count(),
        3,
        "{printed}"
    );
    lines.retain(|line| !line.starts_with("callback"));
    assert_eq!(lines, ["1", "2"]);
    host.stop();
}

#[test]
fn callbacks_are_marked_in_json_too() {
    let host = host(&["asker"]);
    let ran = host.run(&[
        "call",
        "Workers",
        "asker.one(\"x\")",
        "--json",
        "--on-callback",
        "cat",
    ]);
    assert_eq!(ran.ok(), "{\"callback\":\"x\"}\n\"x\"\n");
    host.stop();
}

#[test]
fn a_command_that_fails_is_an_error_that_the_guest_sees() {
    let host = host(&["asker"]);
    for (command, said) in [
        ("exit 3", "`exit 3` failed: exit status: 3"),
        ("echo '[1,'", "printed no JSON"),
        ("true", "printed no JSON"),
        ("/no/such/program 2>&-", "failed: exit status: 127"),
    ] {
        let ran = answered(&host, "asker.one(\"x\")", command);
        assert_eq!(ran.stdout, "callback: \"x\"\n", "{command}");
        let why = ran.fails(10);
        let (warning, error) = why.split_once('\n').unwrap();
        assert!(
            warning.starts_with("warning: ") && warning.contains(said),
            "{command}: {why}"
        );
        assert!(
            error.contains("raised failed(") && error.contains(said),
            "{command}: {why}"
        );
    }
    host.stop();
}

#[test]
fn an_answer_of_another_type_is_the_guests_to_judge() {
    let host = host(&["asker"]);
    let why = answered(&host, "asker.many(1)", "echo '\"no number\"'").fails(10);
    assert!(
        why.contains("the callback's answer is of another type"),
        "{why}"
    );
    host.stop();
}

#[test]
fn what_is_no_value_is_not_sent() {
    let host = host(&["asker"]);
    let ran = answered(&host, "asker.raw([255])", "cat");
    assert_eq!(ran.stdout, "");
    let why = ran.fails(10);
    assert!(why.contains("raised malformed("), "{why}");
    assert_eq!(
        answered(&host, "asker.raw([7])", "cat").ok(),
        "callback: 7\n[7]\n"
    );
    host.stop();
}

#[test]
fn a_guest_may_trap_with_the_answer_in_its_hands() {
    let host = host(&["asker"]);
    let ran = answered(&host, "asker.then-trap(\"x\")", "cat");
    assert_eq!(ran.stdout, "callback: \"x\"\n");
    let why = ran.fails(11);
    assert!(why.contains("asker::asker::then_trap"), "{why}");
    assert_eq!(
        answered(&host, "asker.one(\"x\")", "cat").ok(),
        "callback: \"x\"\n\"x\"\n"
    );
    host.stop();
}

#[test]
fn an_interrupt_ends_a_call_that_waits_for_an_answer() {
    let host = host(&["asker"]);
    let folder = tempfile::tempdir().unwrap();
    let began = folder.path().join("began");
    let command = format!(": > '{}'; exec sleep 3600", began.display());
    let arguments = [
        "call",
        "Workers",
        "asker.one-async(\"x\")",
        "--on-callback",
        &command,
    ];
    let call = Spawned::new(&mut host.command(&arguments));
    eventually("the command runs", || began.exists());
    call.signal(rustix::process::Signal::INT);
    let ran = call.finish();
    assert_eq!(ran.code, 14, "{ran:?}");
    assert_eq!(
        answered(&host, "asker.one(\"x\")", "cat").ok(),
        "callback: \"x\"\n\"x\"\n"
    );
    host.stop();
}

#[test]
fn a_guest_knows_its_call_across_awaits() {
    let host = host(&["asker"]);
    let printed = host
        .run(&["call", "Workers", "asker.whereabouts()", "--json"])
        .ok();
    let at = json(&printed);
    assert_eq!(
        (&at["pool"], &at["module"]),
        (&"Workers".into(), &"asker".into())
    );
    assert_eq!((&at["worker"], &at["generation"]), (&0.into(), &1.into()));
    let pair = json(
        &host
            .run(&["call", "Workers", "asker.call-twice(5)", "--json"])
            .ok(),
    );
    assert_eq!(pair[0], pair[1]);
    assert_ne!(pair[0], at["call"]);
    host.stop();
}
