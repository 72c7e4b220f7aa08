//! What guests print and log, as the user reads it.

use proc_host_tests::Host;
use proc_host_tests::processes::eventually;

use crate::setup::{Spawned, host, host_with, json};

/// The entries of the log that have a module, as JSON.
fn entries(host: &Host) -> Vec<serde_json::Value> {
    let printed = host.run(&["logs", "--json"]).ok();
    printed
        .lines()
        .map(json)
        .filter(|entry| !entry["module"].is_null())
        .collect()
}

/// Level and text of the entries.
fn said(host: &Host) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    entries(host)
        .iter()
        .map(|entry| (text(&entry["level"]), text(&entry["text"])))
        .collect()
}

#[test]
fn an_entry_says_when_where_and_by_whom() {
    let host = host_with(&["--pool", "Workers=2"], &["printer"]);
    host.run(&[
        "call",
        "Workers",
        "printer.everywhere(\"here\")",
        "--worker",
        "1",
    ])
    .ok();
    let text = host.run(&["logs"]).ok();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("printer."))
        .collect();
    for (line, (level, rest)) in lines.iter().zip([
        ("stdout", "here on stdout"),
        ("stderr", "here on stderr"),
        ("info  ", "here in the log"),
    ]) {
        let (time, entry) = line.split_once(' ').unwrap();
        assert_eq!(
            entry,
            format!("{level} Workers/1 printer.everywhere #1: {rest}")
        );
        assert_eq!(
            (time.len(), time.chars().last()),
            ("2026-11-21T14:47:50.481Z".len(), Some('Z'))
        );
    }
    assert_eq!(lines.len(), 3, "{text}");
    let entries = entries(&host);
    assert_eq!(entries.len(), 3);
    for entry in &entries {
        let fields: Vec<&String> = entry.as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            [
                "time", "level", "pool", "worker", "module", "function", "call", "text"
            ]
        );
        assert_eq!(
            (&entry["pool"], &entry["worker"]),
            (&"Workers".into(), &1.into())
        );
        assert_eq!(
            (&entry["module"], &entry["function"]),
            (&"printer".into(), &"everywhere".into())
        );
        assert_eq!(entry["call"], 1);
    }
    host.stop();
}

#[test]
fn what_the_host_does_is_in_it_too() {
    let host = host(&["math"]);
    let text = host.run(&["logs"]).ok();
    assert!(
        text.lines()
            .any(|line| line.ends_with(" info   Workers: loaded math")),
        "{text}"
    );
    host.run(&["unload", "Workers", "math"]).ok();
    let text = host.run(&["logs"]).ok();
    assert!(
        text.lines()
            .any(|line| line.ends_with(" info   Workers: unloaded math")),
        "{text}"
    );
    host.stop();
}

#[test]
fn every_level_is_told_from_the_others() {
    let host = host(&["printer", "callback"]);
    host.call("callback.chatter(\"tea\")").ok();
    host.call("printer.log(warn, \"careful\")").ok();
    let expected = [
        ("trace", "tea: each step"),
        ("debug", "tea: what helps to find a fault"),
        ("info", "tea: the normal course"),
        ("warn", "tea: have a look"),
        ("error", "tea: this went wrong"),
        ("warn", "careful"),
    ];
    assert_eq!(
        said(&host),
        expected.map(|(level, text)| (level.to_owned(), text.to_owned()))
    );
    host.stop();
}

#[test]
fn lines_are_whole_whoever_prints_at_the_same_time() {
    let host = host(&["printer"]);
    let halves = ["ann", "bob", "cat"].map(|name| {
        let call = format!("printer.halves(\"{name}\", 100)");
        Spawned::new(&mut host.command(&["call", "Workers", &call]))
    });
    for call in halves {
        call.finish().ok();
    }
    let mut lines: Vec<String> = said(&host).into_iter().map(|(_, text)| text).collect();
    lines.sort();
    let whole = |name: &str| format!("{name} begins, {name} ends");
    assert_eq!(lines, ["ann", "bob", "cat"].map(whole));
    host.stop();
}

#[test]
fn text_of_several_lines_is_several_entries() {
    let host = host(&["printer"]);
    host.call(r#"printer.line("one\n\ntwo")"#).ok();
    host.call(r#"printer.raw([97, 13, 10, 98, 255, 99, 10])"#)
        .ok();
    let texts: Vec<String> = said(&host).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one", "", "two", "a", "b\u{fffd}c"]);
    host.stop();
}

#[test]
fn a_line_without_an_end_is_there_when_its_call_has_ended() {
    let host = host(&["printer"]);
    host.call("printer.partial(\"half\")").ok();
    assert_eq!(said(&host), [("stdout".to_owned(), "half".to_owned())]);
    host.call("printer.line(\" and another\")").ok();
    assert_eq!(said(&host)[1].1, " and another");
    host.stop();
}

#[test]
fn what_would_command_a_terminal_is_written_out() {
    let host = host(&["printer"]);
    // ESC [ 2 J, and BEL.
    host.call("printer.raw([120, 27, 91, 50, 74, 7, 10])").ok();
    let text = host.run(&["logs"]).ok();
    assert!(
        text.ends_with("printer.raw #1: x\\u{1b}[2J\\u{7}\n"),
        "{text}"
    );
    assert_eq!(said(&host)[0].1, "x\u{1b}[2J\u{7}");
    host.stop();
}

#[test]
fn entries_are_followed_as_they_come() {
    let host = host(&["printer"]);
    let mut follow = Spawned::new(&mut host.command(&["logs", "-f"]));
    assert!(follow.line().unwrap().ends_with("Workers: loaded printer"));
    let mut slow =
        Spawned::new(&mut host.command(&["call", "Workers", "printer.slow-lines(3, 300)"]));
    for number in 0..3 {
        let line = follow.line().unwrap();
        assert!(
            line.ends_with(&format!(
                " stdout Workers/0 printer.slow-lines #1: line {number}"
            )),
            "{line}"
        );
    }
    assert_eq!(slow.line(), None);
    slow.finish().ok();
    host.call("printer.partial(\"half\")").ok();
    assert!(follow.line().unwrap().ends_with("printer.partial #2: half"));
    host.stop();
    let rest = follow.finish();
    assert_eq!(rest.code, 0, "{rest:?}");
}

#[test]
fn a_follower_ends_where_nobody_reads_it() {
    let host = host(&["printer"]);
    let mut follow = Spawned::new(&mut host.command(&["logs", "--follow", "--json"]));
    assert_eq!(json(&follow.line().unwrap())["text"], "loaded printer");
    follow.close_output();
    let ran = follow.finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let follow = Spawned::new(&mut host.command(&["logs", "-f"]));
    follow.signal(rustix::process::Signal::INT);
    assert_eq!(follow.finish().code, -1);
    host.stop();
}

#[test]
fn a_guest_that_floods_its_log_loses_entries_and_nobody_else_does() {
    let host = host(&["printer", "math"]);
    host.call("printer.flood(200000, 50)").ok();
    assert_eq!(host.call("math.add(40, 2)").ok(), "42\n");
    eventually("the log takes entries again", || {
        host.call("printer.line(\"after the flood\")").ok();
        said(&host)
            .iter()
            .any(|(_, text)| text == "after the flood")
    });
    host.stop();
}
