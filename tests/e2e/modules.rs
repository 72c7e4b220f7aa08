//! Components of every make: good, bad and no components at all; loaded at the start and later.

use std::fs;
use std::path::{Path, PathBuf};

use proc_host_tests::processes::eventually;
use proc_host_tests::{Host, binary, guest, run};

use crate::setup::{Spawned, by_hand, host, host_with, json, run_in, running, text, workers};

/// What is no component: its file, and what is said of it.
fn no_components(folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let math = fs::read(guest("math")).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let file = folder.join(name);
        fs::write(&file, bytes).unwrap();
        file
    };
    vec![
        (write("cut.wasm", &math[..3000]), "not a valid component: "),
        (
            write("head.wasm", &math[..6]),
            "not a component: the file ends inside the header",
        ),
        (
            write("nothing.wasm", b""),
            "not a component: the file is empty",
        ),
        (
            write("text.wasm", b"hello"),
            "not a component: it does not begin as WebAssembly does",
        ),
        (
            write("compiled.wasm", b"\x7fELF and more"),
            "not a component: it is an ELF file, such as a precompiled .cwasm; those are refused",
        ),
        (
            by_hand(folder, "core"),
            "not a component: it is a core module",
        ),
        (by_hand(folder, "empty"), "has no functions to call"),
        (
            by_hand(folder, "unknown-import"),
            "imports `nobody:knows/this@1.0.0`, which this host does not offer",
        ),
    ]
}

#[test]
fn what_is_no_component_and_named_keeps_the_host_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let mut bad = no_components(files.path());
    let compiled = files.path().join("math.cwasm");
    fs::copy(files.path().join("compiled.wasm"), &compiled).unwrap();
    bad.push((compiled, "not a component: it is an ELF file"));
    bad.push((
        files.path().join("missing.wasm"),
        "No such file or directory",
    ));
    for (file, cause) in bad {
        let ran = run(&mut run_in(
            folder.path(),
            &[&text(&guest("ticker")), &text(&file)],
        ));
        assert_eq!(ran.stdout, "", "{}", file.display());
        let why = ran.fails(1);
        assert!(
            why.starts_with(&format!("error: {}: {cause}", file.display())),
            "{why}"
        );
        assert_eq!(why.lines().count(), 1, "{why}");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "{}",
            file.display()
        );
    }
}

#[test]
fn what_is_no_component_in_a_folder_is_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let bad = no_components(files.path());
    fs::copy(guest("math"), files.path().join("math.wasm")).unwrap();
    fs::write(files.path().join("notes.txt"), "not looked at").unwrap();
    let arguments = ["--pool", "Workers=1", &text(files.path())];
    let mut host = Spawned::new(&mut run_in(folder.path(), &arguments));
    let ready = host.line().unwrap();
    let ready = json(ready.strip_prefix("ready ").unwrap());
    assert_eq!(
        ready["pools"],
        json(r#"[{"name": "Workers", "slots": 1, "modules": ["math"]}]"#)
    );
    let client = |arguments: &[&str]| {
        let mut command = std::process::Command::new(binary());
        run(command
            .args(arguments)
            .env("PROC_HOST_SOCKET", folder.path().join("host.sock")))
    };
    assert_eq!(client(&["call", "Workers", "math.add(40, 2)"]).ok(), "42\n");
    client(&["stop"]).ok();
    let said = host.finish();
    assert_eq!(said.code, 0);
    let mut lines: Vec<&str> = said.stderr.lines().collect();
    for (file, cause) in &bad {
        let begin = format!(
            "warning: left out of pool Workers: {}: {cause}",
            file.display()
        );
        let at = lines.iter().position(|line| line.starts_with(&begin));
        lines.remove(at.unwrap_or_else(|| panic!("{begin} is not in {lines:?}")));
    }
    assert!(lines.is_empty(), "{lines:?}");
}

#[test]
fn a_folder_without_modules_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    fs::write(files.path().join("math.cwasm"), "not looked at").unwrap();
    let why = run(&mut run_in(folder.path(), &[&text(files.path())])).fails(1);
    let expected = format!(
        "error: {}: no modules: nothing in this directory ends in .wasm\n",
        files.path().display()
    );
    assert_eq!(why, expected);
}

#[test]
fn two_modules_of_one_name_are_refused_and_one_file_twice_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let copy = |name: &str| {
        let file = files.path().join(name).join("math.wasm");
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::copy(guest("math"), &file).unwrap();
        text(&file)
    };
    let (one, other) = (copy("one"), copy("other"));
    let expected = format!("error: {other}: there is already a module math: {one}\n");
    assert_eq!(
        run(&mut run_in(folder.path(), &[&one, &other])).fails(1),
        expected
    );
    let (its_folder, others_folder) = (files.path().join("one"), files.path().join("other"));
    let ran = run(&mut run_in(
        folder.path(),
        &[&text(&its_folder), &text(&others_folder)],
    ));
    assert_eq!(ran.fails(1), expected);
    let host = Host::start(&["--pool", "Workers=1", &one, &text(&its_folder), &one]);
    assert_eq!(host.call("math.add(1, 2)").ok(), "3\n");
    let why = host.run(&["load", "Workers", &one, &other]).fails(1);
    assert_eq!(why.lines().count(), 1, "{why}");
    assert!(
        why.ends_with(": another module of the same load has this name\n"),
        "{why}"
    );
    host.stop();
}

#[test]
fn what_does_not_load_into_a_running_host_leaves_it_as_it_was() {
    let host = host(&["math"]);
    let files = tempfile::tempdir().unwrap();
    assert_eq!(host.call("math.next-id()").ok(), "1\n");
    let before = workers(&host)[0]["pid"].clone();
    for (file, cause) in no_components(files.path()) {
        let why = host.run(&["load", "Workers", &text(&file)]).fails(1);
        assert!(
            why.starts_with(&format!("error: {}: {cause}", file.display())),
            "{why}"
        );
        assert_eq!(why.lines().count(), 1, "{why}");
    }
    let large = files.path().join("large.wasm");
    fs::File::create(&large)
        .unwrap()
        .set_len((64 << 20) + 1)
        .unwrap();
    let why = host.run(&["load", "Workers", &text(&large)]).fails(1);
    assert!(
        why.starts_with(&format!("error: {}: ", large.display())),
        "{why}"
    );
    assert!(why.contains("67108864"), "{why}");
    let missing = files.path().join("missing.wasm");
    let why = host.run(&["load", "Workers", &text(&missing)]).fails(1);
    assert!(
        why.starts_with(&format!("error: failed to read {}: ", missing.display())),
        "{why}"
    );
    // A version that does not load leaves the one that serves.
    let math = files.path().join("math.wasm");
    fs::write(&math, "hello").unwrap();
    let why = host.run(&["load", "Workers", &text(&math)]).fails(1);
    assert!(
        why.starts_with(&format!("error: {}: not a component", math.display())),
        "{why}"
    );
    assert_eq!(host.call("math.next-id()").ok(), "2\n");
    assert_eq!(workers(&host).len(), 1);
    assert_eq!(workers(&host)[0]["pid"], before);
    host.stop();
}

#[test]
fn of_several_that_are_loaded_the_good_ones_are() {
    let host = host(&["math"]);
    let files = tempfile::tempdir().unwrap();
    let bad = files.path().join("bad.wasm");
    fs::write(&bad, "hello").unwrap();
    let ticker = text(&guest("ticker"));
    let why = host
        .run(&["load", "Workers", &ticker, &text(&bad)])
        .fails(1);
    assert!(
        why.starts_with(&format!("error: {}: not a component", bad.display())),
        "{why}"
    );
    assert_eq!(host.call("ticker.count(1)").ok(), "0\n");
    host.stop();
}

#[test]
fn components_written_by_hand_are_called_by_root_and_by_interface() {
    let host = host(&["math"]);
    let files = tempfile::tempdir().unwrap();
    let [root, utf16, ambiguous] =
        ["root", "utf16", "ambiguous"].map(|name| text(&by_hand(files.path(), name)));
    let printed = host
        .run(&["load", "Workers", &root, &utf16, &ambiguous])
        .ok();
    assert_eq!(printed, "loaded root, utf16, ambiguous into Workers\n");
    for (call, printed) in [
        ("root.add(1, 2)", "3\n"),
        ("root.mul(6, 7)", "42\n"),
        ("root.ops.mul(6, -7)", "-42\n"),
        ("root.hand:made/ops@1.0.0.mul(6, 7)", "42\n"),
        ("utf16.echo(\"Grüße, 世界 😀\")", "\"Grüße, 世界 😀\"\n"),
        ("utf16.echo(\"\")", "\"\"\n"),
        ("ambiguous.first.value()", "1\n"),
        ("ambiguous.second.value()", "2\n"),
    ] {
        assert_eq!(host.call(call).ok(), printed, "{call}");
    }
    let why = host.call("ambiguous.value()").fails(15);
    assert_eq!(
        why,
        "error: ambiguous.value is ambiguous: ambiguous.first.value, ambiguous.second.value\n"
    );
    host.stop();
}

#[test]
fn an_interface_of_ones_own_is_called_like_any_other() {
    let host = host(&["ownwit"]);
    let greeting = "{text: \"hello you\", from-worker: 0}\n";
    for call in ["ownwit.hello(\"you\")", "ownwit.greeter.hello(\"you\")"] {
        assert_eq!(host.call(call).ok(), greeting, "{call}");
    }
    assert_eq!(host.call("ownwit.nap(3)").ok(), "3\n");
    assert!(host.call("ownwit.version()").ok().starts_with('"'));
    host.stop();
}

#[test]
fn what_goes_wrong_at_the_start_of_an_instance_ends_only_the_call() {
    let files = tempfile::tempdir().unwrap();
    let names = ["traps-at-start", "spins-at-start", "huge-memory"];
    let bad = names.map(|name| text(&by_hand(files.path(), name)));
    let math = text(&guest("math"));
    let arguments = ["--pool", "Workers=1", &math, &bad[0], &bad[1], &bad[2]];
    let host = Host::start(&arguments);
    for _ in 0..2 {
        let why = host.call("traps-at-start.ping()").fails(11);
        assert!(
            why.contains("wasm `unreachable` instruction executed\n    0: start in "),
            "{why}"
        );
        let call = [
            "call",
            "Workers",
            "spins-at-start.ping()",
            "--timeout",
            "200ms",
        ];
        assert!(host.run(&call).fails(13).contains("timed out"));
        let why = host.call("huge-memory.ping()").fails(11);
        assert!(
            why.contains("memory minimum size of 65536 pages exceeds memory limits"),
            "{why}"
        );
        assert_eq!(host.call("math.add(1, 2)").ok(), "3\n");
    }
    assert_eq!(host.call("math.next-id()").ok(), "1\n");
    assert_eq!(workers(&host)[0]["generation"], 1);
    host.stop();
}

#[test]
fn results_that_are_no_values_trap_and_harm_nobody() {
    let files = tempfile::tempdir().unwrap();
    let results = text(&by_hand(files.path(), "bad-results"));
    let realloc = text(&by_hand(files.path(), "bad-realloc"));
    let host = Host::start(&["--pool", "Workers=1", &results, &realloc]);
    for (call, why) in [
        ("bad-results.outside()", "out of bounds"),
        ("bad-results.not-text()", "utf-8"),
        ("bad-results.long()", "out of bounds"),
        ("bad-results.no-char()", "out of range for `char`"),
        ("bad-results.no-case()", "discriminant 9 out of range"),
        ("bad-realloc.take(\"x\")", "realloc"),
    ] {
        let said = host.call(call).fails(11);
        assert!(said.contains(why), "{call}: {said}");
        assert_eq!(host.call("bad-results.fine()").ok(), "1\n", "after {call}");
        assert_eq!(host.call("bad-realloc.ping()").ok(), "1\n", "after {call}");
    }
    assert_eq!(workers(&host)[0]["generation"], 1);
    host.stop();
}

#[test]
fn a_module_loaded_later_leaves_the_state_of_the_others() {
    let host = host_with(&["--pool", "Workers=2"], &["math"]);
    let next = |worker| {
        host.run(&["call", "Workers", "math.next-id()", "--worker", worker])
            .ok()
    };
    assert_eq!([next("0"), next("0"), next("1")], ["1\n", "2\n", "1\n"]);
    let ticker = text(&guest("ticker"));
    assert_eq!(
        host.run(&["load", "Workers", &ticker]).ok(),
        "loaded ticker into Workers\n"
    );
    assert_eq!(host.call("ticker.count(2)").ok(), "0\n1\n");
    assert_eq!([next("0"), next("1")], ["3\n", "2\n"]);
    assert_eq!(
        host.run(&["unload", "Workers", "ticker"]).ok(),
        "unloaded ticker from Workers\n"
    );
    let why = host.call("ticker.count(2)").fails(15);
    assert_eq!(
        why,
        "error: pool Workers has no module ticker (its modules are math)\n"
    );
    assert_eq!([next("0"), next("1")], ["4\n", "3\n"]);
    eventually("its workers are gone", || workers(&host).len() == 2);
    host.stop();
}

#[test]
fn a_module_loaded_again_is_replaced_with_its_state() {
    let host = host(&["math", "sleepers"]);
    let math = text(&guest("math"));
    assert_eq!(host.call("math.next-id()").ok(), "1\n");
    assert_eq!(host.call("sleepers.sleep(0)").ok(), "1\n");
    for _ in 0..2 {
        let printed = host.run(&["load", "Workers", &math, "--json"]).ok();
        assert_eq!(printed, "{\"pool\":\"Workers\",\"loaded\":[\"math\"]}\n");
        assert_eq!(host.call("math.next-id()").ok(), "1\n");
    }
    assert_eq!(host.call("sleepers.sleep(0)").ok(), "2\n");
    // Another component takes the name over.
    let files = tempfile::tempdir().unwrap();
    let other = files.path().join("math.wasm");
    fs::copy(guest("ticker"), &other).unwrap();
    host.run(&["load", "Workers", &text(&other)]).ok();
    assert_eq!(host.call("math.count(1)").ok(), "0\n");
    let why = host.call("math.add(1, 2)").fails(15);
    assert!(
        why.starts_with("error: module math has no function add"),
        "{why}"
    );
    host.stop();
}

#[test]
fn running_calls_end_where_they_began() {
    let host = host(&["sleepers", "math"]);
    for change in [
        &["load", "Workers", &text(&guest("sleepers"))][..],
        &["unload", "Workers", "sleepers"],
    ] {
        let sleep = ["call", "Workers", "sleepers.sleep(1000)"];
        let sleeper = Spawned::new(&mut host.command(&sleep));
        let mut beats = Spawned::new(&mut host.command(&["call", "Workers", "sleepers.beats(10)"]));
        assert_eq!(beats.line().as_deref(), Some("0"));
        eventually("both run", || running(&host) == 2);
        host.run(change).ok();
        for beat in 1..20 {
            assert_eq!(beats.line(), Some(beat.to_string()));
        }
        beats.close_output();
        assert_eq!(beats.finish().code, 0);
        assert_eq!(sleeper.finish().ok(), "1\n");
        assert_eq!(host.call("math.add(1, 2)").ok(), "3\n");
    }
    host.stop();
}

#[test]
fn modules_that_are_not_there_are_not_unloaded() {
    let host = host(&["math"]);
    let why = host.run(&["unload", "Workers", "maths"]).fails(1);
    assert!(
        why.contains("pool Workers has no module maths; did you mean math?"),
        "{why}"
    );
    let why = host.run(&["unload", "Worker", "math"]).fails(1);
    assert!(
        why.contains("no pool is named Worker; did you mean Workers?"),
        "{why}"
    );
    let why = host
        .run(&["load", "Worker", &text(&guest("math"))])
        .fails(1);
    assert!(
        why.contains("no pool is named Worker; did you mean Workers?"),
        "{why}"
    );
    let printed = host.run(&["unload", "Workers", "math", "--json"]).ok();
    assert_eq!(printed, "{\"pool\":\"Workers\",\"unloaded\":\"math\"}\n");
    host.stop();
}
