//! How calls of a module share instances: by option, by manifest, and when loaded.

use std::fs;

use proc_host_tests::processes::eventually;
use proc_host_tests::{Host, guest};

use crate::setup::{Spawned, host, host_with, json, running, text};

/// Its instances, as `inspect` shows them.
fn mode(host: &Host, module: &str) -> String {
    let inspected = host
        .run(&["inspect", &format!("Workers.{module}"), "--json"])
        .ok();
    json(&inspected)["instances"].as_str().unwrap().to_owned()
}

#[test]
fn a_shared_instance_keeps_its_state() {
    let host = host(&["math", "echo"]);
    for number in 1..=3 {
        assert_eq!(host.call("math.next-id()").ok(), format!("{number}\n"));
    }
    assert_eq!(host.call("echo.calls()").ok(), "1\n");
    assert_eq!(mode(&host, "math"), "shared");
    host.stop();
}

#[test]
fn isolated_calls_see_nothing_of_each_other() {
    let host = host_with(
        &["--pool", "Workers=1", "--isolate"],
        &["math", "sleepers", "generators"],
    );
    assert_eq!(mode(&host, "math"), "per-call");
    for _ in 0..3 {
        assert_eq!(host.call("math.next-id()").ok(), "1\n");
    }
    let sleeper = Spawned::new(&mut host.command(&["call", "Workers", "sleepers.sleep(300)"]));
    assert_eq!(host.call("sleepers.asleep()").ok(), "0\n");
    assert_eq!(sleeper.finish().ok(), "1\n");
    assert_eq!(host.call("generators.range(3)").ok(), "0\n1\n2\n");
    host.stop();
}

#[test]
fn an_exclusive_instance_has_one_call_at_a_time() {
    let host = host(&["math"]);
    let sleepers = text(&guest("sleepers"));
    host.run(&["load", "Workers", &sleepers, "--instances", "exclusive"])
        .ok();
    assert_eq!(mode(&host, "sleepers"), "exclusive");
    assert_eq!(mode(&host, "math"), "shared");
    let sleep = ["call", "Workers", "sleepers.sleep(500)"];
    let pair = [(); 2].map(|()| Spawned::new(&mut host.command(&sleep)));
    eventually("both run", || running(&host) == 2);
    assert_eq!(host.call("sleepers.asleep()").ok(), "0\n");
    for sleeper in pair {
        assert_eq!(sleeper.finish().ok(), "1\n");
    }
    // One that is free is used again, state and all.
    host.run(&[
        "load",
        "Workers",
        &text(&guest("math")),
        "--instances",
        "exclusive",
    ])
    .ok();
    for number in 1..=3 {
        assert_eq!(host.call("math.next-id()").ok(), format!("{number}\n"));
    }
    host.stop();
}

#[test]
fn a_module_is_loaded_with_instances_of_its_own() {
    let host = host(&["math"]);
    let (math, echo) = (text(&guest("math")), text(&guest("echo")));
    host.run(&["load", "Workers", &math, &echo, "--instances", "per-call"])
        .ok();
    for _ in 0..2 {
        assert_eq!(host.call("math.next-id()").ok(), "1\n");
        assert_eq!(host.call("echo.calls()").ok(), "1\n");
    }
    host.run(&["load", "Workers", &math, "--instances", "shared"])
        .ok();
    assert_eq!(host.call("math.next-id()").ok(), "1\n");
    assert_eq!(host.call("math.next-id()").ok(), "2\n");
    assert_eq!(host.call("echo.calls()").ok(), "1\n");
    host.stop();
}

#[test]
fn a_manifest_says_it_for_pools_and_for_modules() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("mods")).unwrap();
    for name in ["math", "echo", "faults"] {
        fs::copy(
            guest(name),
            folder.path().join("mods").join(name).with_extension("wasm"),
        )
        .unwrap();
    }
    let manifest = folder.path().join("proc-host.toml");
    let text_of_it = r#"
[[pool]]
name = "Workers"
slots = 1
modules = ["mods"]
instances = "per-call"
deadline = "30s"

[[pool.module]]
file = "mods/echo.wasm"
instances = "shared"

[[pool.module]]
name = "mine"
file = "mods/faults.wasm"
instances = "exclusive"
deadline = "200ms"

[[pool]]
name = "Others"
slots = 2
modules = ["mods/math.wasm"]
"#;
    fs::write(&manifest, text_of_it).unwrap();
    let host = Host::start(&["--config", &text(&manifest)]);
    let ready = json(host.ready.strip_prefix("ready ").unwrap());
    assert_eq!(
        ready["pools"],
        json(
            r#"[{"name": "Workers", "slots": 1, "modules": ["math", "echo", "mine"]},
                {"name": "Others", "slots": 2, "modules": ["math"]}]"#
        )
    );
    for expected in ["1\n", "1\n"] {
        assert_eq!(host.call("math.next-id()").ok(), expected);
    }
    for expected in ["1\n", "2\n"] {
        assert_eq!(host.call("echo.calls()").ok(), expected);
        let call = ["call", "Others", "math.next-id()", "--worker", "1"];
        assert_eq!(host.run(&call).ok(), expected);
    }
    assert_eq!(
        ["math", "echo", "mine"].map(|module| mode(&host, module)),
        ["per-call", "shared", "exclusive"]
    );
    host.call("mine.sleep-forever()").fails(13);
    assert_eq!(host.call("mine.ping()").ok(), "\"pong\"\n");
    host.stop();
}

#[test]
fn options_go_over_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("proc-host.toml");
    fs::copy(guest("math"), folder.path().join("math.wasm")).unwrap();
    fs::write(
        &manifest,
        "[[pool]]\nname = \"Workers\"\nslots = 3\nmodules = [\"math.wasm\"]\n",
    )
    .unwrap();
    let host = Host::start(&[
        "--config",
        &text(&manifest),
        "--pool",
        "Workers=1",
        "--isolate",
        &text(&guest("echo")),
    ]);
    let ready = json(host.ready.strip_prefix("ready ").unwrap());
    assert_eq!(
        ready["pools"],
        json(r#"[{"name": "Workers", "slots": 1, "modules": ["math", "echo"]}]"#)
    );
    for _ in 0..2 {
        assert_eq!(host.call("math.next-id()").ok(), "1\n");
    }
    host.stop();
}

#[test]
fn calls_of_a_shared_instance_take_turns_and_interleave() {
    let host = host(&["sleepers"]);
    let turns = ["call", "Workers", "sleepers.turns(10, 20)", "--json"];
    let pair = [(); 2].map(|()| Spawned::new(&mut host.command(&turns)));
    let taken = pair.map(|call| json(&call.finish().ok()));
    let numbers = |list: &serde_json::Value| -> Vec<u64> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|number| number.as_u64().unwrap())
            .collect()
    };
    let mut all = numbers(&taken[0]);
    all.extend(numbers(&taken[1]));
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<u64>>());
    eventually("nobody is asleep", || {
        host.call("sleepers.asleep()").ok() == "0\n"
    });
    host.stop();
}
