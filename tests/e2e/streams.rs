//! Generators in all their forms, and streams and futures as parameters.

use proc_host_tests::Host;
use proc_host_tests::processes::eventually;

use crate::setup::{Spawned, host, json, running};

/// What became of the generators of the instance: items produced, begun, ended.
fn counts(host: &Host) -> [u64; 3] {
    let printed = host
        .run(&["call", "Workers", "generators.counts()", "--json"])
        .ok();
    let counts = json(&printed);
    ["produced", "started", "dropped"].map(|name| counts[name].as_u64().unwrap())
}

#[test]
fn items_of_every_type_are_printed_a_line_each() {
    let host = host(&["generators", "ticker"]);
    for (call, printed) in [
        ("generators.range(3)", "0\n1\n2\n"),
        ("generators.flips(3)", "true\nfalse\ntrue\n"),
        ("generators.texts(2)", "\"item 0\"\n\"item 1\"\n"),
        ("generators.chunks(2, 3)", "[0, 0, 0]\n[1, 1, 1]\n"),
        ("generators.chunks(2, 0)", "[]\n[]\n"),
        (
            "generators.places(2)",
            "{name: \"place 0\", x: 0, y: -0, tags: [], height: some(0)}\n\
             {name: \"place 1\", x: 1, y: -1, tags: [\"tag\"]}\n",
        ),
        (
            "generators.things(5)",
            "nothing\nnumber(1)\nnamed(\"thing 2\")\n\
             at({name: \"place 3\", x: 3, y: -3, tags: []})\npair((4, \"pair 4\"))\n",
        ),
        ("generators.slow(3, 5)", "0\n1\n2\n"),
        (
            "ticker.words(\"to be\")",
            "{number: 1, text: \"to\"}\n{number: 2, text: \"be\"}\n",
        ),
    ] {
        assert_eq!(host.call(call).ok(), printed, "{call}");
    }
    let [_, started, dropped] = counts(&host);
    assert_eq!(started, dropped);
    host.stop();
}

#[test]
fn items_are_json_where_json_is_asked_for() {
    let host = host(&["generators"]);
    let printed = host
        .run(&["call", "Workers", "generators.things", "--json", "[5]"])
        .ok();
    assert_eq!(
        printed,
        "\"nothing\"\n{\"number\":1}\n{\"named\":\"thing 2\"}\n\
         {\"at\":{\"name\":\"place 3\",\"x\":3.0,\"y\":-3.0,\"tags\":[],\"height\":null}}\n\
         {\"pair\":[4,\"pair 4\"]}\n"
    );
    host.stop();
}

#[test]
fn a_generator_may_be_empty() {
    let host = host(&["generators", "cursor", "types"]);
    for call in [
        "generators.empty()",
        "generators.range(0)",
        "generators.octets(0)",
        "generators.fails(0, none)",
        "cursor.count(0)",
        "cursor.split(\"\")",
        "types.queue([])",
        "types.double([])",
    ] {
        assert_eq!(host.call(call).ok(), "", "{call}");
    }
    host.stop();
}

#[test]
fn items_wider_than_a_page_of_layouts_come_whole() {
    let host = host(&["generators"]);
    let printed = host
        .run(&["call", "Workers", "generators.wide", "--json", "[50]"])
        .ok();
    let items: Vec<_> = printed.lines().map(json).collect();
    assert_eq!(items.len(), 50);
    for (number, item) in items.iter().enumerate() {
        assert_eq!(item["number"], number);
        for (place, of) in [
            ("first", number),
            ("second", number + 1),
            ("third", number + 2),
        ] {
            assert_eq!(item[place]["name"], format!("place {of}"));
            assert_eq!(item[place]["tags"].as_array().unwrap().len(), of % 3);
        }
    }
    host.stop();
}

#[test]
fn bytes_come_in_pieces_that_make_up_the_whole() {
    let host = host(&["generators", "types"]);
    let bytes = |call: &str| -> Vec<u64> {
        let printed = host.run(&["call", "Workers", call, "--json"]).ok();
        let pieces = printed
            .lines()
            .map(|line| json(line).as_array().unwrap().clone());
        pieces
            .flatten()
            .map(|byte| byte.as_u64().unwrap())
            .collect()
    };
    let expected: Vec<u64> = (0..1000).map(|index| index % 256).collect();
    assert_eq!(bytes("generators.octets(1000)"), expected);
    assert_eq!(bytes("types.double([1, 2, 200])"), [2, 4, 144]);
    host.stop();
}

#[test]
fn many_items_come_without_a_gap() {
    let host = host(&["generators"]);
    let printed = host.call("generators.range(100000)").ok();
    let mut lines = printed.lines();
    for number in 0..100_000 {
        assert_eq!(lines.next(), Some(number.to_string().as_str()));
    }
    assert_eq!(lines.next(), None);
    assert_eq!(counts(&host), [100_000, 1, 1]);
    host.stop();
}

#[test]
fn a_generator_may_fail_after_some_items() {
    let host = host(&["generators", "ticker", "types"]);
    let person = |name: &str, mood: &str| {
        format!(
            "{{name: \"{name}\", home: {{street: \"S\", place: {{x: 1, y: 2}}}}, tags: [], mood: {mood}}}"
        )
    };
    let queue = format!(
        "types.queue([{}, {}])",
        person("Ada", "calm"),
        person("Bo", "angry")
    );
    for (call, items, raised) in [
        ("generators.fails(9, some(2))", "0\n1\n", "\"no item 2\""),
        ("generators.fails(9, some(0))", "", "\"no item 0\""),
        (
            "generators.fails-with()",
            "{name: \"place 0\", x: 0, y: -0, tags: [], height: some(0)}\n",
            "pair((7, \"seven\"))",
        ),
        ("ticker.countdown(3, some(1))", "3\n2\n", "\"aborted at 1\""),
        (
            &queue,
            &format!("{}\n", person("Ada", "calm")),
            "\"Bo is angry\"",
        ),
    ] {
        let ran = host.call(call);
        assert_eq!(ran.stdout, items, "{call}");
        let why = ran.fails(10);
        assert!(
            why.ends_with(&format!("raised {raised}\n")),
            "{call}: {why}"
        );
    }
    assert_eq!(host.call("generators.fails(3, none)").ok(), "0\n1\n2\n");
    let ran = host.run(&["call", "Workers", "generators.fails-with", "--json", "[]"]);
    let error = json(&ran.fails(10));
    assert_eq!(error["error"], "raised");
    assert_eq!(error["value"], json(r#"{"pair": [7, "seven"]}"#));
    host.stop();
}

#[test]
fn a_resource_with_next_is_a_generator() {
    let host = host(&["cursor"]);
    for (call, printed) in [
        ("cursor.count(3)", "0\n1\n2\n"),
        ("cursor.split(\"to be or\")", "\"to\"\n\"be\"\n\"or\"\n"),
        ("cursor.numbers(2)", "0\n1\n"),
        ("cursor.cursors.words(\"one\")", "\"one\"\n"),
    ] {
        assert_eq!(host.call(call).ok(), printed, "{call}");
    }
    // `next` of another shape makes a plain handle.
    assert!(host.call("cursor.roll()").ok().starts_with("dice#"));
    eventually("all are let go of", || {
        host.call("cursor.alive()").ok() == "0\n"
    });
    let mut head =
        Spawned::new(&mut host.command(&["call", "Workers", "cursor.count(4294967295)"]));
    assert_eq!(head.line().as_deref(), Some("0"));
    assert_eq!(host.call("cursor.alive()").ok(), "1\n");
    head.close_output();
    assert_eq!(head.finish().code, 0);
    eventually("it is let go of", || {
        host.call("cursor.alive()").ok() == "0\n"
    });
    host.stop();
}

#[test]
fn head_ends_the_generator_in_the_guest() {
    let host = host(&["generators", "sleepers"]);
    for call in [
        "generators.endless()",
        "generators.endless64()",
        "generators.octets(4294967295)",
    ] {
        let [_, before, _] = counts(&host);
        let mut command = host.command(&["call", "Workers", call, "--timeout", "none"]);
        let mut head = Spawned::new(&mut command);
        for _ in 0..3 {
            assert!(head.line().is_some());
        }
        head.close_output();
        let ran = head.finish();
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{call}");
        eventually("it is dropped", || {
            let [_, started, dropped] = counts(&host);
            started == before + 1 && dropped == started
        });
    }
    host.stop();
}

#[test]
fn head_does_not_wait_for_an_item() {
    let host = host(&["sleepers"]);
    let call = &[
        "call",
        "Workers",
        "sleepers.beats(3600000)",
        "--timeout",
        "none",
    ];
    let mut head = Spawned::new(&mut host.command(call));
    eventually("it sleeps", || host.call("sleepers.asleep()").ok() == "1\n");
    head.close_output();
    let ran = head.finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    eventually("no call is left", || running(&host) == 0);
    host.stop();
}

#[test]
fn a_producer_that_sleeps_ends_at_its_next_item() {
    let host = host(&["sleepers"]);
    let call = &["call", "Workers", "sleepers.beats(20)", "--timeout", "none"];
    let mut head = Spawned::new(&mut host.command(call));
    assert_eq!(head.line().as_deref(), Some("0"));
    head.close_output();
    assert_eq!(head.finish().code, 0);
    eventually("it sleeps no more", || {
        host.call("sleepers.asleep()").ok() == "0\n"
    });
    host.stop();
}

#[test]
fn a_generator_runs_no_further_ahead_than_its_reader_allows() {
    let host = host(&["generators"]);
    let call = &[
        "call",
        "Workers",
        "generators.endless()",
        "--timeout",
        "none",
    ];
    let mut reader = Spawned::new(&mut host.command(call));
    assert_eq!(reader.line().as_deref(), Some("0"));
    // It stops by itself: two looks in a row find the same count.
    let mut last = 0;
    eventually("it waits for its reader", || {
        let now = counts(&host)[0];
        std::mem::replace(&mut last, now) == now
    });
    assert!(last < 1_000_000, "{last}");
    reader.close_output();
    assert_eq!(reader.finish().code, 0);
    host.stop();
}

#[test]
fn an_interrupt_ends_a_generator() {
    let host = host(&["generators"]);
    let call = &[
        "call",
        "Workers",
        "generators.endless()",
        "--timeout",
        "none",
    ];
    let mut reader = Spawned::new(&mut host.command(call));
    assert_eq!(reader.line().as_deref(), Some("0"));
    reader.signal(rustix::process::Signal::INT);
    while reader.line().is_some() {}
    reader.finish().fails(14);
    eventually("it is dropped", || {
        let [_, started, dropped] = counts(&host);
        (started, dropped) == (1, 1)
    });
    host.stop();
}

#[test]
fn streams_are_taken_as_parameters() {
    let host = host(&["generators", "types", "ticker", "values"]);
    for (call, printed) in [
        ("generators.total([1, 2, 39])", "(3, 42)\n"),
        ("generators.total([])", "(0, 0)\n"),
        (
            "generators.first([\"a\", \"b\", \"c\"], 2)",
            "[\"a\", \"b\"]\n",
        ),
        ("ticker.running-sum([1, 2, 3])", "1\n3\n6\n"),
        (
            "types.centre([{x: 0, y: 0}, {x: 2, y: 4}])",
            "some({x: 1, y: 2})\n",
        ),
        ("types.centre([])", "none\n"),
        (
            "values.pass([closed, answered(not-found)])",
            "closed\nanswered(not-found)\n",
        ),
    ] {
        assert_eq!(host.call(call).ok(), printed, "{call}");
    }
    let ran = host.run(&[
        "call",
        "Workers",
        "ticker.sum",
        "--json",
        r#"{"numbers": [40, 2]}"#,
    ]);
    assert_eq!(ran.ok(), "42\n");
    host.stop();
}

#[test]
fn futures_are_taken_and_returned() {
    let host = host(&["types"]);
    assert_eq!(host.call("types.resolve(\"soon\")").ok(), "\"soon\"\n");
    assert_eq!(
        host.call("types.later(\"soon\")").ok(),
        "future#1\nfuture#1: \"soon\"\n"
    );
    let ran = host.run(&["call", "Workers", "types.later", "--json", "[\"soon\"]"]);
    assert_eq!(ran.ok(), "\"future#1\"\n{\"future#1\":\"soon\"}\n");
    host.stop();
}

#[test]
fn a_trap_in_a_generator_comes_after_its_items() {
    let host = host(&["generators"]);
    let ran = host.call("generators.traps(2)");
    assert_eq!(ran.stdout, "0\n1\n");
    let why = ran.fails(11);
    assert!(
        why.contains("generators.traps in pool Workers, worker 0 (generation 1) trapped"),
        "{why}"
    );
    assert!(why.contains("generators::generators::"), "{why}");
    // In the instance that came after it nothing has begun yet.
    assert_eq!(counts(&host), [0, 0, 0]);
    host.stop();
}

#[test]
fn a_plain_function_that_returns_a_stream_is_denied_and_says_why() {
    let host = host(&["badgen"]);
    let why = host.call("badgen.numbers(3)").fails(15);
    assert_eq!(
        why,
        "error: badgen.numbers cannot be called: a generator must be an `async func`: a plain one \
         cannot feed the stream it returns\n"
    );
    let why = host.call("badgen.checked(3)").fails(15);
    assert!(
        why.contains("badgen.checked cannot be called: a generator must be"),
        "{why}"
    );
    let logs = host.run(&["logs"]).ok();
    let told = logs
        .lines()
        .filter(|line| line.contains(" warn   Workers: badgen."));
    assert_eq!(told.count(), 2, "{logs}");
    assert_eq!(host.call("badgen.fine(2)").ok(), "0\n1\n");
    assert_eq!(host.call("badgen.ping()").ok(), "\"pong\"\n");
    let inspected = host.run(&["inspect", "Workers.badgen"]).ok();
    for function in ["numbers", "checked"] {
        let line = inspected
            .lines()
            .find(|line| line.contains(&format!("{function}: func")));
        assert!(
            line.unwrap()
                .contains("(cannot be called: a generator must be"),
            "{inspected}"
        );
    }
    host.stop();
}
