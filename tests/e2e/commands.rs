//! The other commands: a host's life from start to stop, and looking at it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use proc_host_tests::processes::{Watched, descendants, eventually};
use proc_host_tests::{Host, Ran, binary, guest, repository, run};
use rustix::process::Signal;

use crate::setup::{Spawned, by_hand, host, host_with, json, run_in, running, text, workers};

/// The permissions of a file.
fn permissions(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A command of `proc-host` that has no host of the test's.
fn proc_host(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env_remove("PROC_HOST_SOCKET");
    command
}

fn exec(arguments: &[&str]) -> Ran {
    run(proc_host(&["exec"]).args(arguments))
}

#[test]
fn one_line_says_that_the_host_is_ready() {
    let host = host_with(&["--pool", "Workers=2", "--pool", "Jobs=1"], &["math"]);
    let ready = json(host.ready.strip_prefix("ready ").unwrap());
    assert_eq!(ready["socket"], text(&host.socket()));
    assert_eq!(ready["pid"], host.pid());
    assert_eq!(
        ready["pools"],
        json(
            r#"[{"name": "Workers", "slots": 2, "modules": ["math"]},
                {"name": "Jobs", "slots": 1, "modules": ["math"]}]"#
        )
    );
    assert_eq!(host.run(&["call", "Jobs", "math.add(1, 2)"]).ok(), "3\n");
    host.stop();
}

#[test]
fn without_pools_there_is_one_with_a_worker_for_each_core() {
    let host = Host::start(&[&text(&guest("math"))]);
    let ready = json(host.ready.strip_prefix("ready ").unwrap());
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(ready["pools"][0]["name"], "Workers");
    assert_eq!(ready["pools"][0]["slots"], cores);
    assert_eq!(workers(&host).len(), cores);
    host.stop();
}

#[test]
fn only_the_user_may_talk_to_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let sockets = folder.path().join("sockets");
    let math = text(&guest("math"));
    let mut command = proc_host(&["run", "--pool", "W=1", "--sock-dir", &text(&sockets), &math]);
    // What it might leave behind would be seen in the end.
    let mut host = Spawned::new(command.env("TMPDIR", folder.path()));
    let socket = sockets.join("proc-host.sock");
    let ready = json(host.line().unwrap().strip_prefix("ready ").unwrap());
    assert_eq!(ready["socket"], text(&socket));
    assert_eq!(permissions(&sockets), 0o700);
    assert_eq!(permissions(&socket), 0o600);
    let token = sockets.join("proc-host.sock.token");
    assert_eq!(permissions(&token), 0o600);
    assert_eq!(fs::read_to_string(&token).unwrap().trim().len(), 64);
    let client = |arguments: &[&str]| run(proc_host(arguments).arg("--socket").arg(&socket));
    assert_eq!(client(&["call", "W", "math.add(1, 2)"]).ok(), "3\n");
    let why = run(&mut proc_host(&[
        "run",
        "--sock-dir",
        &text(&sockets),
        &math,
    ]))
    .fails(1);
    assert_eq!(
        why,
        format!("error: another host serves {}\n", socket.display())
    );
    assert_eq!(client(&["call", "W", "math.add(1, 2)"]).ok(), "3\n");
    client(&["stop"]).ok();
    assert_eq!(host.finish().ok(), "");
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn the_usual_socket_is_in_the_users_own_folder() {
    let folder = tempfile::tempdir().unwrap();
    let command = |arguments: &[&str]| {
        let mut command = proc_host(arguments);
        command.env("XDG_RUNTIME_DIR", folder.path());
        command
    };
    let mut host = Spawned::new(&mut command(&[
        "run",
        "--pool",
        "W=1",
        &text(&guest("math")),
    ]));
    let socket = folder.path().join("proc-host/proc-host.sock");
    assert!(host.line().unwrap().contains(&text(&socket)));
    assert_eq!(permissions(&folder.path().join("proc-host")), 0o700);
    assert_eq!(
        run(&mut command(&["call", "W", "math.add(1, 2)"])).ok(),
        "3\n"
    );
    run(&mut command(&["stop"])).ok();
    assert_eq!(host.finish().code, 0);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let why = run(&mut run_in(&open, &[&text(&guest("math"))])).fails(1);
    assert!(
        why.contains("others may write to the socket's directory"),
        "{why}"
    );
    assert!(why.contains(&text(&open)), "{why}");
    assert_eq!(names(&open), Vec::<String>::new());
}

#[test]
fn a_socket_left_by_a_host_that_was_killed_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let math = text(&guest("math"));
    let arguments = ["--pool", "Workers=1", math.as_str()];
    let mut killed = Spawned::new(&mut run_in(folder.path(), &arguments));
    assert!(killed.line().unwrap().starts_with("ready"));
    let left: Vec<Watched> = descendants(killed.pid())
        .into_iter()
        .map(Watched::new)
        .collect();
    assert!(!left.is_empty());
    killed.signal(Signal::KILL);
    assert_eq!(killed.finish().code, -1);
    left.iter().for_each(Watched::assert_ends);
    assert!(folder.path().join("host.sock").exists());
    let mut host = Spawned::new(&mut run_in(folder.path(), &arguments));
    assert!(host.line().unwrap().starts_with("ready"));
    host.signal(Signal::INT);
    assert_eq!(host.finish().code, 0);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

/// What ends a host that a call keeps waiting.
fn drains(end: impl Fn(&Host)) {
    let mut host = host_with(&["--pool", "Workers=2"], &["sleepers", "generators"]);
    let processes: Vec<Watched> = descendants(host.pid())
        .into_iter()
        .map(Watched::new)
        .collect();
    let sleeper = Spawned::new(&mut host.command(&["call", "Workers", "sleepers.sleep(1000)"]));
    let mut items =
        Spawned::new(&mut host.command(&["call", "Workers", "generators.slow(20, 50)"]));
    assert_eq!(items.line().as_deref(), Some("0"));
    eventually("both run", || running(&host) == 2);
    end(&host);
    assert_eq!(sleeper.finish().ok(), "1\n");
    for number in 1..20 {
        assert_eq!(items.line(), Some(number.to_string()));
    }
    items.finish().ok();
    host.assert_gone();
    processes.iter().for_each(Watched::assert_ends);
}

fn signal(host: &Host, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(host.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn stop_lets_running_calls_end() {
    drains(|host| {
        let said = host.run(&["stop"]).ok();
        let expected = format!(
            "stopping the host on {} (process {})\n",
            host.socket().display(),
            host.pid()
        );
        assert_eq!(said, expected);
    });
}

#[test]
fn an_interrupt_lets_running_calls_end() {
    drains(|host| signal(host, Signal::INT));
}

#[test]
fn a_termination_lets_running_calls_end() {
    drains(|host| signal(host, Signal::TERM));
}

#[test]
fn a_host_that_stops_takes_no_more_calls() {
    let mut host = host(&["sleepers"]);
    let sleeper = Spawned::new(&mut host.command(&["call", "Workers", "sleepers.sleep(1000)"]));
    eventually("it runs", || running(&host) == 1);
    host.run(&["stop", "--json"]).ok();
    let why = host.call("sleepers.asleep()").fails(3);
    assert!(why.starts_with("error: no host is listening on "), "{why}");
    assert_eq!(sleeper.finish().ok(), "1\n");
    host.assert_gone();
}

/// What ends a host at once.
fn ends_at_once(end: impl Fn(&Host)) {
    let mut host = host_with(&["--pool", "Workers=2"], &["sleepers", "faults"]);
    let processes: Vec<Watched> = descendants(host.pid())
        .into_iter()
        .map(Watched::new)
        .collect();
    let calls = [
        "sleepers.sleep(3600000)",
        "faults.spin()",
        "faults.silent()",
    ]
    .map(|call| Spawned::new(&mut host.command(&["call", "Workers", call, "--timeout", "none"])));
    eventually("all run", || running(&host) == 3);
    let begin = std::time::Instant::now();
    end(&host);
    for call in calls {
        let ran = call.finish();
        assert!([12, 14].contains(&ran.code), "{ran:?}");
    }
    host.assert_gone();
    // The ten seconds that calls have to end are not waited for.
    assert!(begin.elapsed().as_secs() < 8, "{:?}", begin.elapsed());
    processes.iter().for_each(Watched::assert_ends);
}

#[test]
fn stop_now_waits_for_nothing() {
    ends_at_once(|host| {
        host.run(&["stop", "--now"]).ok();
    });
}

#[test]
fn a_second_interrupt_waits_for_nothing() {
    ends_at_once(|host| {
        signal(host, Signal::INT);
        eventually("it stops", || host.run(&["ps"]).code == 3);
        signal(host, Signal::INT);
    });
}

#[test]
fn ps_lists_pools_workers_and_what_they_do() {
    let host = host_with(
        &["--pool", "Workers=2", "--pool", "Jobs=1"],
        &["math", "sleepers"],
    );
    for _ in 0..3 {
        host.run(&["call", "Workers", "math.add(1, 2)", "--worker", "1"])
            .ok();
    }
    let sleep = [
        "call",
        "Workers",
        "sleepers.sleep(3600000)",
        "--worker",
        "0",
    ];
    let sleeper = Spawned::new(&mut host.command(&sleep));
    eventually("it runs", || running(&host) == 1);
    let pools = json(&host.run(&["ps", "--json"]).ok());
    let fields = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(pools.as_array().unwrap().len(), 2);
    let mut pools = pools.as_array().unwrap().clone();
    pools.sort_by_key(|pool| pool["name"] != "Workers");
    assert_eq!(
        fields(&pools[0]),
        ["name", "slots", "modules", "queued", "workers"]
    );
    assert_eq!(
        (&pools[0]["name"], &pools[1]["name"]),
        (&"Workers".into(), &"Jobs".into())
    );
    assert_eq!(
        (&pools[0]["slots"], &pools[0]["queued"]),
        (&2.into(), &0.into())
    );
    assert_eq!(pools[0]["modules"], json(r#"["math", "sleepers"]"#));
    let workers = pools[0]["workers"].as_array().unwrap();
    let descendants = descendants(host.pid());
    for (number, worker) in workers.iter().enumerate() {
        assert_eq!(
            fields(worker),
            [
                "worker",
                "generation",
                "pid",
                "state",
                "modules",
                "running",
                "done",
                "memory"
            ]
        );
        assert_eq!(
            (&worker["worker"], &worker["generation"]),
            (&number.into(), &1.into())
        );
        assert_eq!(
            (&worker["state"], &worker["modules"]),
            (&"ready".into(), &pools[0]["modules"])
        );
        let pid = u32::try_from(worker["pid"].as_u64().unwrap()).unwrap();
        assert!(
            descendants.contains(&pid),
            "{pid} is not among {descendants:?}"
        );
        assert!(worker["memory"].as_u64().unwrap() > 1 << 20);
    }
    let work = |worker: usize| {
        (
            workers[worker]["running"].clone(),
            workers[worker]["done"].clone(),
        )
    };
    assert_eq!(
        [work(0), work(1)],
        [(1.into(), 0.into()), (0.into(), 3.into())]
    );
    let table = host.run(&["ps"]).ok();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        [
            "POOL",
            "WORKER",
            "GENERATION",
            "PID",
            "STATE",
            "RUNNING",
            "DONE",
            "MEMORY",
            "MODULES"
        ]
    );
    assert_eq!(rows.len(), 4);
    let (jobs, workers): (Vec<_>, Vec<_>) = rows[1..].iter().partition(|row| row[0] == "Jobs");
    assert_eq!(
        (workers[0][1], workers[0][4], workers[0][5]),
        ("0", "ready", "1")
    );
    assert_eq!(jobs[0][9], "math,sleepers");
    drop(sleeper);
    eventually("it is let go of", || running(&host) == 0);
    host.stop();
}

#[test]
fn inspect_shows_a_module_of_a_host_and_a_file_alike() {
    let host = host(&["math", "types"]);
    let of_host = host.run(&["inspect", "Workers.math"]).ok();
    let of_file = run(&mut proc_host(&["inspect", &text(&guest("math"))])).ok();
    assert_eq!(of_host, of_file);
    let lines: Vec<&str> = of_host.lines().collect();
    assert!(lines[0].starts_with("module math (shared, "), "{of_host}");
    for line in [
        "functions:",
        "  add: func(a: s64, b: s64) -> s64",
        "  divide: func(a: f64, b: f64) -> result<f64, string>",
        "  crash: func(why: string)",
        "imports:",
    ] {
        assert!(lines.contains(&line), "{line} is not in {of_host}");
    }
    let import = |name: &str| {
        lines
            .iter()
            .find(|line| line.trim_start().starts_with(name))
            .unwrap()
    };
    assert!(import("wasi:cli/stdout@").ends_with("  granted"));
    assert!(import("wasi:cli/environment@").ends_with("  not granted: it links, and is empty"));
    let types = host.run(&["inspect", "Workers.types"]).ok();
    for line in [
        "  example:types/api@0.1.0:",
        "    echo-nested: func(value: person) -> person",
        "    centre: async func(points: stream<point>) -> option<point>",
        "types:",
        "  record point { x: f64, y: f64 }",
        "  enum mood { calm, happy, angry }",
        "  flags rights { read, write, execute }",
    ] {
        assert!(
            types.lines().any(|other| other == line),
            "{line} is not in {types}"
        );
    }
    host.stop();
}

#[test]
fn inspect_tells_a_program_the_same() {
    let host = host(&["math"]);
    let of_host = json(&host.run(&["inspect", "Workers.math", "--json"]).ok());
    let of_file = json(
        &run(&mut proc_host(&[
            "inspect",
            &text(&guest("math")),
            "--json",
        ]))
        .ok(),
    );
    assert_eq!(of_host, of_file);
    let add = &of_host["functions"][0];
    assert_eq!(
        *add,
        json(
            r#"{"interface": null, "name": "add", "async": false,
                "params": [{"name": "a", "type": "s64"}, {"name": "b", "type": "s64"}],
                "result": "s64", "signature": "add: func(a: s64, b: s64) -> s64",
                "unsupported": null}"#
        )
    );
    let grants = of_host["imports"].as_array().unwrap();
    assert!(
        grants
            .iter()
            .all(|import| ["granted", "empty"].contains(&import["grant"].as_str().unwrap()))
    );
    host.stop();
}

#[test]
fn inspect_says_what_is_wrong_with_a_file() {
    let host = host(&["math"]);
    let files = tempfile::tempdir().unwrap();
    let core = by_hand(files.path(), "core");
    let unknown = by_hand(files.path(), "unknown-import");
    let why = run(&mut proc_host(&["inspect", &text(&core)])).fails(1);
    assert!(
        why.starts_with(&format!(
            "error: {}: not a component: it is a core",
            core.display()
        )),
        "{why}"
    );
    let why = run(&mut proc_host(&["inspect", &text(&unknown)])).fails(1);
    let expected = format!(
        "error: {}: imports `nobody:knows/this@1.0.0`, which this host does not offer\n",
        unknown.display()
    );
    assert_eq!(why, expected);
    let why = run(&mut proc_host(&["inspect", "no-such-file.wasm"])).fails(1);
    assert!(
        why.starts_with("error: failed to read no-such-file.wasm: "),
        "{why}"
    );
    let why = host.run(&["inspect", "Workers.maths"]).fails(1);
    assert!(why.contains("did you mean math?"), "{why}");
    let why = host.run(&["inspect", "Worker.math"]).fails(1);
    assert!(why.contains("did you mean Workers?"), "{why}");
    host.stop();
}

#[test]
fn exec_calls_without_a_host() {
    let math = text(&guest("math"));
    for (arguments, printed) in [
        (&[math.as_str(), "add(40, 2)"][..], "42\n"),
        (&[&math, "add", "--json", "[40, 2]"], "42\n"),
        (
            &[&math, "extent([1])", "--json"],
            "{\"low\":1.0,\"high\":1.0}\n",
        ),
        (&[&text(&guest("types")), "api.echo-u8(7)"], "7\n"),
        (&[&text(&guest("ticker")), "count(3)"], "0\n1\n2\n"),
        (
            &[&text(&guest("asker")), "one(\"x\")", "--on-callback", "cat"],
            "callback: \"x\"\n\"x\"\n",
        ),
    ] {
        let ran = exec(arguments);
        assert_eq!(ran.stderr, "", "{arguments:?}");
        assert_eq!(ran.ok(), printed, "{arguments:?}");
    }
}

#[test]
fn exec_prints_what_the_guest_prints_beside_its_value() {
    let ran = exec(&[&text(&guest("printer")), "everywhere(\"here\")"]);
    assert_eq!(
        ran.stderr,
        "exec/0 printer.everywhere #1: here on stdout\nexec/0 printer.everywhere #1: here on \
         stderr\nexec/0 printer.everywhere #1: here in the log\n"
    );
    assert_eq!(ran.ok(), "");
}

#[test]
fn exec_ends_as_a_call_does_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (math, faults) = (text(&guest("math")), text(&guest("faults")));
    let missing = text(&folder.path().join("missing.wasm"));
    for (code, arguments, said) in [
        (
            10,
            &[math.as_str(), "divide(1, 0)"][..],
            "raised \"cannot divide 1 by zero\"",
        ),
        (11, &[&math, "crash(\"oh\")"], "math::math::crash"),
        (13, &[&faults, "spin()", "--timeout", "200ms"], "timed out"),
        (15, &[&math, "nope()"], "module math has no function nope"),
        (2, &[&math, "add(1)"], "expected 2 arguments, found 1"),
        (
            2,
            &[&math],
            "the component and the function to call are missing",
        ),
        (1, &[&missing, "add(1, 2)"], "No such file or directory"),
    ] {
        let ran = run(proc_host(&["exec"])
            .args(arguments)
            .env("TMPDIR", folder.path()));
        let why = ran.fails(code);
        assert!(why.contains(said), "{arguments:?}: {why}");
        assert_eq!(names(folder.path()), Vec::<String>::new(), "{arguments:?}");
    }
}

#[test]
fn a_manifest_is_checked_without_a_host() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(guest("math"), folder.path().join("math.wasm")).unwrap();
    fs::write(folder.path().join("text.wasm"), "hello").unwrap();
    let check = |manifest: &str, arguments: &[&str]| {
        fs::write(folder.path().join("proc-host.toml"), manifest).unwrap();
        run(proc_host(&["config", "check"])
            .args(arguments)
            .current_dir(folder.path()))
    };
    let good = "grace = \"2s\"\n[[pool]]\nname = \"W\"\nslots = 2\nmodules = [\"math.wasm\"]\n";
    assert_eq!(
        check(good, &[]).ok(),
        "proc-host.toml: in order (pools: 1, modules: 1)\n"
    );
    assert_eq!(
        check(good, &["--json"]).ok(),
        "{\"file\":\"proc-host.toml\",\"pools\":[{\"name\":\"W\",\"slots\":2,\"modules\":[\"math\"]}]}\n"
    );
    for (manifest, what) in [
        (
            "[[pool]]\nname = \"W\"\nslotz = 3\n",
            ":3:1: unknown field `slotz`, expected one of `name`",
        ),
        (
            "[[pool]]\nname = \"W\"\nslots = 0\n",
            ":3:9: a pool has 1 to 1024 slots",
        ),
        ("[[pool]]\nname = \"W\n", ":2:10: invalid basic string"),
        ("[[pool]]\nslots = 1\n", ":1:1: missing field `name`"),
        (
            "[[pool]]\nname = \"W\"\n\n[[pool]]\nname = \"W\"\n",
            ":5:8: there is already a pool named W",
        ),
        (
            "[[pool]]\nname = \"W\"\nmodules = [\"none.wasm\"]\n",
            ":3:12: none.wasm: No such file",
        ),
        (
            "[[pool]]\nname = \"W\"\ndeadline = \"soon\"\n",
            ":3:12: \"soon\" is no duration",
        ),
        (
            "[[pool]]\nname = \"W\"\ninstances = \"alone\"\n",
            ":3:13: unknown variant `alone`",
        ),
        (
            "[[pool]]\nname = \"W\"\nlimits = { memory = \"much\" }\n",
            ":3:21: \"much\" is no size",
        ),
        ("socket = 3\n", ":1:10: invalid type: integer `3`"),
    ] {
        let why = check(manifest, &[]).fails(1);
        assert!(
            why.starts_with(&format!("error: proc-host.toml{what}")),
            "{manifest}: {why}"
        );
        let run_it =
            run(proc_host(&["run", "--config", "proc-host.toml"]).current_dir(folder.path()));
        assert_eq!(run_it.fails(1), why);
    }
    let why = check("[[pool]]\nname = \"W\"\nmodules = [\"text.wasm\"]\n", &[]).fails(1);
    assert_eq!(
        why,
        "error: text.wasm: not a component: it does not begin as WebAssembly does\n"
    );
    let why = run(&mut proc_host(&["config", "check", "no-such-file.toml"])).fails(1);
    assert!(
        why.starts_with("error: failed to read no-such-file.toml: "),
        "{why}"
    );
}

#[test]
fn a_new_project_builds_and_runs_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let sdk = text(&repository("guest-sdk"));
    let said =
        run(proc_host(&["new", "my-guest", "--sdk-path", &sdk]).current_dir(folder.path())).ok();
    assert!(
        said.starts_with("wrote my-guest/. Now:\n  cd my-guest\n"),
        "{said}"
    );
    let project = folder.path().join("my-guest");
    assert_eq!(names(&project), [".gitignore", "Cargo.toml", "src"]);
    // The versions that this repository is built with: nothing is fetched.
    fs::copy(repository("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let target = guest("math").ancestors().nth(3).unwrap().to_owned();
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).arg("--offline");
        run(command
            .env("CARGO_TARGET_DIR", target.join("new"))
            .current_dir(&project))
    };
    let tested = cargo(&["test"]);
    assert_eq!(tested.code, 0, "{}", tested.stderr);
    assert!(
        tested.stdout.contains("test tests::it_greets ... ok"),
        "{}",
        tested.stdout
    );
    let built = cargo(&["build", "--release", "--target", "wasm32-wasip2"]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    let component = text(&target.join("new/wasm32-wasip2/release/my_guest.wasm"));
    assert_eq!(
        exec(&[&component, "greet(\"world\")"]).ok(),
        "\"hello, world\"\n"
    );
    assert_eq!(exec(&[&component, "count(3)"]).ok(), "0\n1\n2\n");
    let why = exec(&[&component, "divide(1, 0)"]).fails(10);
    assert!(why.contains("raised \"cannot divide 1 by 0\""), "{why}");
    let again = run(proc_host(&["new", "my-guest", "--sdk-path", &sdk]).current_dir(folder.path()));
    let why = again.fails(1);
    assert!(
        why.starts_with("error: failed to write my-guest: File exists"),
        "{why}"
    );
}

#[test]
fn help_tells_of_every_command_and_every_exit_code() {
    let help = run(&mut proc_host(&["--help"])).ok();
    for command in [
        "run",
        "call",
        "exec",
        "logs",
        "load",
        "unload",
        "ps",
        "inspect",
        "stop",
        "config",
        "new",
        "completions",
    ] {
        assert!(
            help.lines()
                .any(|line| line.starts_with(&format!("  {command} "))),
            "{command}: {help}"
        );
        assert!(
            run(&mut proc_host(&[command, "--help"]))
                .ok()
                .contains("Usage: ")
        );
    }
    for code in [0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16] {
        assert!(help.contains(&format!("  {code}\t")), "{code}: {help}");
    }
    for hidden in ["launcher", "worker ", "compile"] {
        assert!(
            !help
                .lines()
                .any(|line| line.trim_start().starts_with(hidden)),
            "{hidden}: {help}"
        );
    }
}

#[test]
fn shells_can_complete() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&mut proc_host(&["completions", shell])).ok();
        assert!(
            script.contains("proc-host") && script.contains("unload"),
            "{shell}"
        );
    }
}
