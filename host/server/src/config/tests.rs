use std::path::Path;
use std::time::Duration;

use proc_host_wire::start::Instances;

use super::{Config, inspect_component};

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("dir/proc-host.toml")).map_err(|error| error.to_string())
}

#[test]
fn levels_go_over_each_other() {
    let config = parse(
        r#"
        socket = "a.sock"
        grace = "3s"
        [[pool]]
        name = "Workers"
        slots = 3
        deadline = "never"
        limits = { memory = "1MiB", table = 5 }
        [[pool.module]]
        file = "mods/math.wasm"
        instances = "per-call"
        deadline = "200ms"
        limits = { table = 7 }
        [[pool.module]]
        name = "other"
        file = "mods/math2.wasm"
        "#,
    )
    .unwrap();
    assert_eq!(config.socket.as_deref(), Some(Path::new("dir/a.sock")));
    assert_eq!(config.grace, Some(Duration::from_secs(3)));
    let pool = &config.pools[0];
    assert_eq!((pool.slots, pool.defaults.deadline), (3, None));
    let [math, other] = pool.modules.as_slice() else {
        panic!("two modules")
    };
    assert_eq!((math.name.as_str(), other.name.as_str()), ("math", "other"));
    assert_eq!(math.instances, Some(Instances::PerCall));
    assert_eq!(math.deadline, Some(Some(Duration::from_millis(200))));
    let limits = math.limits.as_ref().unwrap();
    assert_eq!((limits.memory, limits.table), (1 << 20, 7));
    assert_eq!(other.limits, None);
}

#[test]
fn errors_name_line_and_column() {
    let cases = [
        (
            "socket = 3\n",
            "dir/proc-host.toml:1:10: invalid type: integer `3`",
        ),
        (
            "[[pool]]\nname = \"A\"\nslotz = 3\n",
            "dir/proc-host.toml:3:1: unknown field `slotz`",
        ),
        (
            "[[pool]]\nname = \"A\"\nslots = 0\n",
            "dir/proc-host.toml:3:9: a pool has 1 to",
        ),
        (
            "[[pool]]\nname = \"A\"\n[[pool]]\nname = \"A\"\n",
            "dir/proc-host.toml:4:8: there is already a pool named A",
        ),
        (
            "[[pool]]\nname = \"A\"\ndeadline = \"5\"\n",
            "dir/proc-host.toml:3:12: \"5\" is no duration",
        ),
        (
            "[[pool]]\nname = \"A\"\nmodules = [\n  \"nowhere\"]\n",
            "dir/proc-host.toml:4:3: dir/nowhere: No such file",
        ),
        ("[[pool]\n", "dir/proc-host.toml:1:8: "),
    ];
    for (text, expected) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(expected), "{error}\n  is not\n{expected}");
    }
}

#[test]
fn first_bytes() {
    assert_eq!(inspect_component(b"\0asm\x0d\0\x01\0more"), Ok(()));
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"\0asm\x01\0\0\0", "core module"),
        (b"\0asm\x0d", "inside the header"),
        (b"\x7fELF\x02\x01\x01\0", "cwasm"),
        (b"#!/bin/sh", "does not begin"),
    ] {
        assert!(
            inspect_component(bytes).unwrap_err().contains(word),
            "{word}"
        );
    }
}
