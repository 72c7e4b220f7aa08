//! Plain and async calls through the command line.

use proc_host_tests::{Host, guest};

fn host(guests: &[&str]) -> Host {
    let paths: Vec<_> =
        guests.iter().map(|name| guest(name).to_string_lossy().into_owned()).collect();
    let mut arguments = vec!["--pool", "Workers=3"];
    arguments.extend(paths.iter().map(String::as_str));
    Host::start(&arguments)
}

#[test]
fn a_function_returns_its_value() {
    let host = host(&["math"]);
    assert_eq!(host.call("math.add(40, 2)").ok(), "42\n");
    host.stop();
}
